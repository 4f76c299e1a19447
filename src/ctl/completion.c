/* SPDX-License-Identifier: MIT */
#include "ctl/completion.h"

enum { STATUS_OK, STATUS_USAGE = 2 };

/* What the arguments of a verb are, as the scripts call it. */
static const char *argument_word(const struct verb *v)
{
	if (v->id == VERB_HELP)
		return "verbs";
	if (v->shape == SHAPE_NAMES || v->shape == SHAPE_UNIT_FILES ||
	    v->id == VERB_LIST_UNIT_FILES)
		return "unit_files";
	if (v->shape == SHAPE_FILES || v->shape == SHAPE_COMMAND || v->shape == SHAPE_NAMED_COMMAND)
		return "files";
	if (v->shape == SHAPE_SHELL)
		return "shells";
	if (verb_shapes[v->shape].what == ARG_UNIT || v->shape == SHAPE_PATTERNS ||
	    v->shape == SHAPE_SETTINGS)
		return "units";
	return "none";
}

/* `word) what=units ;;` for each word that is a verb. */
static void add_cases(struct sbuf *b)
{
	const struct verb_alias *alias;

	for (unsigned i = 0; i < VERBS; i++)
		sbuf_addf(b, "\t%s) what=%s ;;\n", verbs[i].word, argument_word(&verbs[i]));
	for (unsigned i = 0; (alias = verb_alias(i)); i++)
		sbuf_addf(b, "\t%s) what=%s ;;\n", alias->word, argument_word(&verbs[alias->id]));
}

static void add_verbs(struct sbuf *b)
{
	const struct verb_alias *alias;

	for (unsigned i = 0; i < VERBS; i++)
		sbuf_addf(b, "%s%s", i ? " " : "", verbs[i].word);
	for (unsigned i = 0; (alias = verb_alias(i)); i++)
		sbuf_addf(b, " %s", alias->word);
}

static void add_options(struct sbuf *b)
{
	for (unsigned i = 0; i < OPTIONS; i++)
		sbuf_addf(b, "%s--%s%s", i ? " " : "", verb_options[i].word,
			  verb_options[i].value ? "=" : "");
}

/* Both shells run it: it sets `words` to what may stand at the cursor, `verb` being the verb there is, "" for none. */
static void add_common(struct sbuf *b)
{
	sbuf_add_z(b, "_harkctl_words() {\n\tlocal verb=$1 what=verbs\n\tcase $verb in\n");
	add_cases(b);
	sbuf_add_z(b, "\tesac\n\tcase $what in\n\tverbs) echo '");
	add_verbs(b);
	sbuf_add_z(
		b,
		"' ;;\n"
		"\tunits) harkctl list -a -o kv 2>/dev/null | sed -n 's/^unit=//p' ;;\n"
		"\tunit_files) harkctl list-unit-files -o kv 2>/dev/null | sed -n 's/^unit=//p' ;;\n"
		"\tshells) echo 'bash zsh' ;;\n"
		"\tesac\n}\n"
		"_harkctl_verb() {\n\tlocal word\n\tshift\n\tfor word; do\n"
		"\t\tcase $word in\n\t\t-*) ;;\n\t\t*) echo \"$word\"; return ;;\n\t\tesac\n"
		"\tdone\n}\n");
}

static void add_bash(struct sbuf *b)
{
	sbuf_add_z(b, "_harkctl() {\n"
		      "\tlocal now=${COMP_WORDS[COMP_CWORD]} verb\n"
		      "\tverb=$(_harkctl_verb \"${COMP_WORDS[@]:0:COMP_CWORD}\")\n"
		      "\tif [[ $now == -* ]]; then\n"
		      "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	add_options(b);
	sbuf_add_z(b, "' -- \"$now\")\n"
		      "\t\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
		      "\telse\n"
		      "\t\tmapfile -t COMPREPLY < <(_harkctl_words \"$verb\" | tr ' ' '\\n' | "
		      "awk -v now=\"$now\" 'index($0, now) == 1')\n"
		      "\tfi\n}\n"
		      "complete -o default -F _harkctl harkctl\n");
}

static void add_zsh(struct sbuf *b)
{
	sbuf_add_z(b, "_harkctl() {\n"
		      "\tlocal verb=$(_harkctl_verb \"${(@)words[1,CURRENT-1]}\")\n"
		      "\tif [[ ${words[CURRENT]} == -* ]]; then\n"
		      "\t\tcompadd -- ");
	add_options(b);
	sbuf_add_z(b, "\n\telse\n"
		      "\t\tcompadd -- ${=$(_harkctl_words \"$verb\")} || _files\n"
		      "\tfi\n}\n"
		      "compdef _harkctl harkctl\n");
}

int completion_print(struct screen *s, const struct question *q)
{
	static const struct {
		const char *shell;
		void (*add)(struct sbuf *b);
	} shells[] = {{"bash", add_bash}, {"zsh", add_zsh}};

	for (unsigned i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(q->args[0], shells[i].shell) != 0)
			continue;
		sbuf_addf(&s->paint.out,
			  "# Made by harkctl completion %s of its tables; eval it, or source it.\n",
			  shells[i].shell);
		add_common(&s->paint.out);
		shells[i].add(&s->paint.out);
		s->paint.line_at = s->paint.out.n;
		return STATUS_OK;
	}
	sbuf_addf(&s->errors, "harkctl: there are completions for bash and zsh, not for %s\n",
		  q->args[0]);
	return STATUS_USAGE;
}
