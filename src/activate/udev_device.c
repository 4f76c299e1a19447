/* SPDX-License-Identifier: MIT */
#include "activate/udev_device.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "activate/udev_tell.h"
#include "core/log.h"

#define TAG "systemd" /* what rules of all distributions call it */

bool udev_device_is_there(struct udev_device *dev)
{
	return udev_device_has_current_tag(dev, TAG) &&
	       !str_eq_z(str_of(udev_device_get_property_value(dev, "SYSTEMD_READY")), "0");
}

struct facts {
	struct udev_device *dev;
	struct sbuf *out;
	unsigned n;
	bool is_full;
};

/* A value that is too long, or spans lines, would break the request. */
static void add(struct facts *f, const char *key, struct str value)
{
	if (value.n == 0 || memchr(value.p, '\n', value.n))
		return;
	if (f->n >= TELL_FACTS_MOST || f->out->n + strlen(key) + value.n + 2 > TELL_FACTS_MAX) {
		f->is_full = true;
		return;
	}
	f->n++;
	sbuf_add_z(f->out, key);
	sbuf_add(f->out, value);
	sbuf_add_c(f->out, '\n');
}

static void add_property(struct facts *f, const char *key, const char *name)
{
	add(f, key, str_of(udev_device_get_property_value(f->dev, name)));
}

/* Two devices may claim a link, a file system's label; it is that one's to which it leads. */
static bool is_others(struct udev_device *dev, const char *link)
{
	struct stat st;

	return stat(link, &st) == 0 && st.st_rdev != udev_device_get_devnum(dev);
}

static void add_links(struct facts *f)
{
	struct udev_list_entry *e;

	udev_list_entry_foreach(e, udev_device_get_devlinks_list_entry(f->dev))
	{
		struct str link = str_of(udev_list_entry_get_name(e));

		/* By number: every device has these, and nobody asks for them. */
		if (!str_has_prefix(link, STR("/dev/block/")) &&
		    !str_has_prefix(link, STR("/dev/char/")) && !is_others(f->dev, link.p))
			add(f, "name=", link);
	}
}

static void add_aliases(struct facts *f)
{
	struct str rest = str_of(udev_device_get_property_value(f->dev, "SYSTEMD_ALIAS"));
	struct str path;

	while (str_word(&rest, &path)) {
		if (path.p[0] == '/')
			add(f, "name=", path);
		else
			log_at(LOG_WARN,
			       "%s: SYSTEMD_ALIAS has \"" STR_FMT "\", which is no path; ignored",
			       udev_device_get_syspath(f->dev), STR_ARG(path));
	}
}

/* Which one of its kind it is: by label, name or number of what is on it. */
static void add_model(struct facts *f)
{
	static const char *const models[] = {"ID_MODEL_FROM_DATABASE", "ID_MODEL"};
	static const char *const labels[] = {"ID_FS_LABEL", "ID_PART_ENTRY_NAME",
					     "ID_PART_ENTRY_NUMBER"};
	const char *model = NULL, *label = NULL;
	struct sbuf text = {0};

	for (size_t i = 0; i < ARRAY_SIZE(models) && !model; i++)
		model = udev_device_get_property_value(f->dev, models[i]);
	for (size_t i = 0; i < ARRAY_SIZE(labels) && !label; i++)
		label = udev_device_get_property_value(f->dev, labels[i]);
	if (!model)
		return;
	sbuf_add_z(&text, model);
	if (label)
		sbuf_addf(&text, " %s", label);
	add(f, "model=", (struct str){text.p, text.n});
	sbuf_fini(&text);
}

void udev_device_facts(struct udev_device *dev, struct sbuf *out)
{
	struct facts f = {.dev = dev, .out = out};

	add_model(&f);
	add_property(&f, "wants=", "SYSTEMD_WANTS");
	add_property(&f, "user-wants=", "SYSTEMD_USER_WANTS");
	add_property(&f, "every=", "HARK_WANTS_EVERY");
	add_property(&f, "user-every=", "HARK_USER_WANTS_EVERY");
	if (udev_device_get_action(dev)) /* an event, not a look at what is there */
		add(&f, "event=", STR("yes"));
	add_property(&f, "binds-mounts=", "SYSTEMD_MOUNT_DEVICE_BOUND");
	add_property(&f, "name=", "DEVNAME");
	add_aliases(&f);
	add_links(&f);
	if (f.is_full)
		log_at(LOG_WARN, "%s: has more names than can be told; the others make no units",
		       udev_device_get_syspath(dev));
}
