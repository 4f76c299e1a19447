/* SPDX-License-Identifier: MIT */
#include "activate/udev_tell.h"

#include "core/log.h"
#include "core/mem.h"

enum { WORDS_BYTES = WIRE_FRAME - 1024 }; /* of one request, each with its header */

/* Something to be told: of a device, or a mark of an enumeration. */
struct item {
	struct list node;
	struct map_node map;
	char *sysfs;      /* owned; NULL: a mark */
	const char *mark; /* static */
	char *facts;      /* owned; NULL: it is gone */
	bool was_gone;    /* and is there again, perhaps */
	uint32_t round;   /* of enumeration that it belongs to */
};

/* --- items --- */

static bool is_path(const struct map_node *node, const void *key)
{
	return strcmp(container_of(node, struct item, map)->sysfs, key) == 0;
}

static struct item *find_item(const struct udev_tell *t, const char *sysfs)
{
	struct map_node *node = map_find(&t->by_path, str_hash(str_of(sysfs)), is_path, sysfs);

	return node ? container_of(node, struct item, map) : NULL;
}

static void free_item(struct udev_tell *t, struct item *i)
{
	list_del(&i->node);
	if (i->sysfs)
		map_del(&t->by_path, &i->map);
	mem_put(i->sysfs);
	mem_put(i->facts);
	mem_put(i);
}

/* What is to be told of that device, behind the last mark that begins an enumeration. NULL: -ENOMEM. */
static struct item *item_of(struct udev_tell *t, const char *sysfs)
{
	struct item *i = find_item(t, sysfs);

	if (!i) {
		i = map_reserve(&t->by_path, 1) == 0 ? mem_get(sizeof(*i)) : NULL;
		if (i)
			i->sysfs = mem_dup(sysfs, strlen(sysfs));
		if (!i || !i->sysfs) {
			mem_put(i);
			return NULL;
		}
		map_add(&t->by_path, &i->map, str_hash(str_of(sysfs)));
	} else if (i->round == t->round) {
		return i;
	}
	list_del(&i->node);
	list_add_tail(&t->items, &i->node);
	i->round = t->round;
	return i;
}

static int add_mark(struct udev_tell *t, const char *mark)
{
	struct item *i = mem_get(sizeof(*i));

	if (!i)
		return err_here(-ENOMEM);
	i->mark = mark;
	list_add_tail(&t->items, &i->node);
	return 0;
}

/* --- a request --- */

struct request_words {
	struct udev_tell *tell;
	size_t bytes;
	unsigned n;
};

static bool add_word(struct request_words *w, const char *key, struct str text)
{
	size_t key_n = strlen(key);
	char *word = arena_get(&w->tell->arena, key_n + text.n + 1);

	if (!word)
		return false;
	memcpy(word, key, key_n);
	if (text.n)
		memcpy(word + key_n, text.p, text.n);
	w->tell->words[w->n++] = word;
	w->bytes += key_n + text.n + 16;
	return true;
}

static bool has_room(const struct request_words *w, const struct item *i)
{
	size_t bytes = i->sysfs ? 2 * (strlen(i->sysfs) + 24) : 24;

	if (w->n == 0)
		return true;
	for (const char *p = i->facts; p && *p; p++)
		bytes += *p == '\n' ? 16 : 1;
	return w->bytes + bytes < WORDS_BYTES && w->n + TELL_FACTS_MOST + 2 <= REQUEST_ARGS;
}

static bool add_item(struct request_words *w, const struct item *i)
{
	struct str rest = str_of(i->facts), fact;
	bool is_good = !i->mark || add_word(w, i->mark, (struct str){NULL, 0});

	if (i->sysfs && (i->was_gone || !i->facts))
		is_good = add_word(w, "gone=", str_of(i->sysfs));
	if (i->facts)
		is_good = is_good && add_word(w, "is=", str_of(i->sysfs));
	while (is_good && str_cut(&rest, '\n', &fact))
		is_good = fact.n == 0 || add_word(w, "", fact);
	return is_good;
}

/* What was not taken is told again when there is a new manager. */
static void on_told(struct ask *a, int err)
{
	struct udev_tell *t = container_of(a, struct udev_tell, telling);

	t->is_telling = false;
	if (err < 0)
		log_at(LOG_WARN, "devices could not be told of: %s; the next manager hears of all",
		       strerror(-err));
	else if (a->exit)
		log_at(LOG_ERROR, "the manager does not understand what it is told of devices");
	rows_fini(&a->rows);
	arena_fini(&t->arena);
	udev_tell_flush(t);
}

void udev_tell_flush(struct udev_tell *t)
{
	struct request_words w = {.tell = t};

	while (!t->is_telling && !list_is_empty(&t->items)) {
		struct item *i = list_entry(t->items.next, struct item, node);

		if (!has_room(&w, i))
			break;
		if (!add_item(&w, i)) {
			log_at(LOG_ERROR, "out of memory: changes of devices are lost");
			return;
		}
		free_item(t, i);
	}
	if (w.n == 0)
		return;
	t->is_telling = true;
	t->telling = (struct ask){.done = on_told};
	t->telling.question =
		(struct question){.verb = &verbs[VERB_DEVICES], .args = t->words, .args_n = w.n};
	ask_start(&t->asker, &t->telling);
}

/* --- the manager --- */

static void on_row(void *arg, const struct row *row)
{
	struct udev_tell *t = arg;

	if (row_is(row, "ready"))
		t->renew(t->arg);
}

static void begin_watch(struct udev_tell *t);

static void on_end(struct ask *a, int err UNUSED)
{
	begin_watch(container_of(a, struct udev_tell, watch));
}

static void begin_watch(struct udev_tell *t)
{
	t->watch = (struct ask){.done = on_end};
	t->watch.question = (struct question){
		.verb = &verbs[VERB_DEVICES], .on_row = on_row, .arg = t, .is_endless = true};
	ask_start(&t->asker, &t->watch);
}

void udev_tell_init(struct udev_tell *t, struct loop *loop, const char *path,
		    void (*renew)(void *arg), void *arg)
{
	*t = (struct udev_tell){.renew = renew, .arg = arg};
	list_init(&t->items);
	asker_init(&t->asker, loop, path);
	begin_watch(t);
}

void udev_tell_fini(struct udev_tell *t)
{
	asker_fini(&t->asker);
	list_for_each_safe(node, &t->items)
		free_item(t, list_entry(node, struct item, node));
	map_fini(&t->by_path);
	arena_fini(&t->arena);
}

/* --- what there is to tell --- */

int udev_tell_begin(struct udev_tell *t)
{
	/* What was there is told again; that something was not there in between is not. */
	list_for_each_safe(node, &t->items) {
		struct item *i = list_entry(node, struct item, node);

		if (i->mark || (i->facts && !i->was_gone))
			free_item(t, i);
	}
	t->round++;
	return add_mark(t, "begin");
}

int udev_tell_end(struct udev_tell *t)
{
	int r = add_mark(t, "end");

	udev_tell_flush(t);
	return r;
}

int udev_tell_is(struct udev_tell *t, const char *sysfs, const char *facts)
{
	char *copy = mem_dup(facts, strlen(facts));
	struct item *i = copy ? item_of(t, sysfs) : NULL;

	if (!i) {
		mem_put(copy);
		return err_here(-ENOMEM);
	}
	mem_put(i->facts);
	i->facts = copy;
	return 0;
}

int udev_tell_gone(struct udev_tell *t, const char *sysfs)
{
	struct item *i = item_of(t, sysfs);

	if (!i)
		return err_here(-ENOMEM);
	mem_put(i->facts);
	i->facts = NULL;
	i->was_gone = true;
	return 0;
}
