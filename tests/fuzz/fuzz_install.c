/* SPDX-License-Identifier: MIT */
/*
 * A made-up tree of unit directories, then commands on it: one line each, its first letter says what. Whatever links there are, every
 * command ends, nothing is left over, and what enable does once it does not do twice.
 */
#include "units/install.h"
#include "units/install_state.h"
#include "units/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str install_text = {"", 0};

static int read_text(void *arg, const char *name, const char *path, struct unit_config **ret_config)
{
	return load_unit_text(arg, name, path, install_text, ret_config);
}

static int run(struct install *in, char verb, const char *const *names, unsigned n)
{
	enum install_state state;

	switch (verb) {
	case 'e':
		return install_enable(in, names, n);
	case 'd':
		return install_disable(in, names, n);
	case 'r':
		return install_reenable(in, names, n);
	case 'm':
		return install_mask(in, names, n);
	case 'u':
		return install_unmask(in, names, n);
	case 'l':
		return install_link(in, names, n);
	case 'v':
		return install_revert(in, names, n);
	case 'w':
		return install_add_dependency(in, DEP_WANTS, names, n);
	case 's':
		return install_set_default(in, names[0]);
	case 'i':
		return install_state(in, names[0], &state);
	default:
		return 0;
	}
}

/* A number for all links that are to be, independent of their order. */
static uint64_t digest(const struct install_tree *t)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < t->dirs_n; k++)
		list_for_each(node, &t->dirs[k].nodes) {
			const struct tree_node *n = list_entry(node, struct tree_node, list_node);

			if (n->kind != TREE_NONE)
				sum += (uint64_t)str_hash(str_of(n->path)) * (n->kind + 1U) +
				       (n->kind == TREE_LINK ? str_hash(str_of(n->target)) : 0);
		}
	return sum;
}

static void command(struct install_tree *t, struct load *l, char verb, const char *const *names,
		    unsigned n)
{
	uint64_t once = 0;

	for (int turn = 0; turn < 2; turn++) {
		struct install in;
		bool has_error;

		install_init(&in, t, read_text, l);
		in.is_forced = true;
		if (run(&in, verb, names, n) < 0)
			__builtin_trap();
		has_error = in.has_error;
		install_fini(&in);
		if (turn == 1 && !has_error && verb != 'r' && digest(t) != once)
			__builtin_trap();
		once = digest(t);
	}
}

static void line(struct install_tree *t, struct load *l, struct str s, struct str *install)
{
	char verb = s.n ? s.p[0] : ' ';
	struct str rest = str_sub(s, 1, s.n), word;
	char words[4][200];
	const char *names[4];
	unsigned n = 0;

	if (verb == 'I') { /* the rest of the input is every unit's text */
		*install = (struct str){rest.p, install->n - (size_t)(rest.p - install->p)};
		return;
	}
	while (n < 4 && str_word(&rest, &word)) {
		word = str_sub(word, 0, sizeof(words[0]) - 1);
		memcpy(words[n], word.p, word.n);
		words[n][word.n] = '\0';
		names[n] = words[n];
		n++;
	}
	if (n == 0 || memchr(s.p, 0, s.n))
		return;
	if (verb == 'F' || verb == 'E' || verb == 'D')
		(void)!tree_note(t, names[0],
				 verb == 'F'   ? TREE_FILE
				 : verb == 'E' ? TREE_EMPTY
					       : TREE_DIR,
				 NULL);
	else if (verb == 'L' && n == 2)
		(void)!tree_note(t, names[0], TREE_LINK, names[1]);
	else
		command(t, l, verb, names, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char etc_units[] = "/etc/units", etc[] = "/etc/systemd/system",
		    run_dir[] = "/run/systemd/system", usr[] = "/usr/lib/systemd/system";
	static char *const dirs[] = {etc_units, etc, run_dir, usr};
	static struct load load;
	static struct install_tree tree;
	struct str rest = {(const char *)data, size}, one;
	size_t live;

	if (!load.dirs && load_init(&load, "/nonexistent", "") < 0)
		__builtin_trap();
	live = mem_stats.live_n;
	install_text = (struct str){(const char *)data, size};
	if (size > 4096 || tree_init(&tree, dirs, ARRAY_SIZE(dirs), "") < 0)
		return 0;
	for (int n = 0; n < 40 && str_cut(&rest, '\n', &one); n++)
		line(&tree, &load, one, &install_text);
	tree_fini(&tree);
	if (mem_stats.live_n > live + 8) /* what the loader shares between units stays with it */
		__builtin_trap();
	return 0;
}
