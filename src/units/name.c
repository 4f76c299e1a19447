/* SPDX-License-Identifier: MIT */
#include "units/name.h"

#include "core/unit.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes a name may hold; '@' divides prefix and instance and is looked at by the callers. */
static bool is_name_char(char c)
{
	return is_letter(c) || is_digit(c) || c == ':' || c == '-' || c == '_' || c == '.' ||
	       c == '\\';
}

static bool has_name_chars(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_name_char(s.p[i]) && s.p[i] != '@')
			return false;
	return true;
}

/* The name without its type suffix; a name without a dot is taken whole. */
static struct str stem(const char *name)
{
	struct str s = str_of(name);

	return str_sub(s, 0, str_rindex(s, '.'));
}

static unsigned form_of(struct str s)
{
	size_t at = str_index(s, '@');

	if (at == s.n)
		return NAME_PLAIN;
	return at + 1 == s.n ? NAME_TEMPLATE : NAME_INSTANCE;
}

bool name_is_valid(const char *name, unsigned forms)
{
	struct str s = stem(name);

	return s.n > 0 && s.p[0] != '@' && s.p[0] != '.' &&
	       s.n + strlen(name + s.n) <= UNIT_NAME_MAX && has_name_chars(s) &&
	       unit_type_of(name) >= 0 && (form_of(s) & forms) != 0;
}

unsigned name_form(const char *name)
{
	return form_of(stem(name));
}

struct str name_prefix(const char *name)
{
	struct str s = stem(name);

	return str_sub(s, 0, str_index(s, '@'));
}

struct str name_instance(const char *name)
{
	struct str s = stem(name);
	size_t at = str_index(s, '@');

	return at == s.n ? (struct str){NULL, 0} : str_sub(s, at + 1, s.n);
}

struct str name_suffix(const char *name)
{
	struct str s = str_of(name);
	size_t dot = str_rindex(s, '.');

	return dot == s.n ? str_sub(s, s.n, s.n) : str_sub(s, dot + 1, s.n);
}

bool name_may_alias(const char *name)
{
	int type = unit_type_of(name);

	return type == UNIT_SERVICE || type == UNIT_SOCKET || type == UNIT_TARGET ||
	       type == UNIT_DEVICE || type == UNIT_TIMER || type == UNIT_PATH;
}

bool name_fits_alias(const char *name, const char *of)
{
	if (!name_may_alias(name) || !name_is_valid(of, NAME_ANY) ||
	    unit_type_of(of) != unit_type_of(name))
		return false;
	if (name_form(name) == NAME_INSTANCE && name_form(of) == NAME_TEMPLATE)
		return true;
	return name_form(name) == name_form(of) && str_eq(name_instance(name), name_instance(of));
}

/* Put n pieces one behind the other; out may overlap none of them. A name may not be longer than UNIT_NAME_MAX. */
static int join(const struct str *pieces, size_t n, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t left = cap > at ? cap - at : 0;

		if (pieces[i].n >= left || at + pieces[i].n > UNIT_NAME_MAX)
			return err_here(-ENAMETOOLONG);
		if (pieces[i].n)
			memcpy(out + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
		out[at] = '\0';
	}
	return 0;
}

int name_template(const char *name, char *out, size_t cap)
{
	if (name_form(name) != NAME_INSTANCE)
		return err_here(-EINVAL);
	return name_with_instance(name, STR(""), out, cap);
}

int name_with_instance(const char *name, struct str instance, char *out, size_t cap)
{
	const struct str pieces[] = {name_prefix(name), STR("@"), instance, STR("."),
				     name_suffix(name)};

	if (name_form(name) == NAME_PLAIN)
		return err_here(-EINVAL);
	if (!has_name_chars(instance))
		return err_here(-EINVAL);
	return join(pieces, ARRAY_SIZE(pieces), out, cap);
}

int name_with_suffix(const char *name, const char *suffix, char *out, size_t cap)
{
	const struct str pieces[] = {stem(name), STR("."), str_of(suffix)};

	return join(pieces, ARRAY_SIZE(pieces), out, cap);
}

/* Append one byte, as it is or as \xNN; false when it does not fit with the NUL behind it. */
static bool put_byte(char *out, size_t cap, size_t *at, char c, bool plain)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)c;

	if (*at + (plain ? 1 : 4) >= cap)
		return false;
	if (plain) {
		out[(*at)++] = c;
	} else {
		out[(*at)++] = '\\';
		out[(*at)++] = 'x';
		out[(*at)++] = hex[byte >> 4];
		out[(*at)++] = hex[byte & 15];
	}
	out[*at] = '\0';
	return true;
}

static int escape(struct str text, char *out, size_t cap, size_t *at)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool plain = is_name_char(c) && c != '-' && c != '\\' && !(c == '.' && *at == 0);

		if (!put_byte(out, cap, at, c == '/' ? '-' : c, plain || c == '/'))
			return err_here(-ENAMETOOLONG);
	}
	return 0;
}

/* Components joined by '-'. "." and empty ones go; ".." cannot be resolved without looking at the disk. */
static int escape_path(struct str text, char *out, size_t cap, size_t *at)
{
	struct str part;

	while (str_cut(&text, '/', &part)) {
		int r;

		if (part.n == 0 || str_eq_z(part, "."))
			continue;
		if (str_eq_z(part, ".."))
			return err_here(-EINVAL);
		if (*at > 0 && !put_byte(out, cap, at, '-', true))
			return err_here(-ENAMETOOLONG);
		r = escape(part, out, cap, at);
		if (r < 0)
			return r;
	}
	if (*at == 0 && !put_byte(out, cap, at, '-', true))
		return err_here(-ENAMETOOLONG);
	return 0;
}

int name_escape(struct str text, bool path, char *out, size_t cap)
{
	size_t at = 0;
	int r;

	if (cap == 0)
		return err_here(-ENAMETOOLONG);
	out[0] = '\0';
	r = path ? escape_path(text, out, cap, &at) : escape(text, out, cap, &at);
	return r < 0 ? r : (int)at;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that begins at s.p[*i], which is moved to its last character; -1 for a broken escape or NUL. */
static int unescape_one(struct str s, size_t *i)
{
	int high;
	int low;

	if (s.p[*i] == '-')
		return '/';
	if (s.p[*i] != '\\')
		return (unsigned char)s.p[*i];
	if (s.n - *i < 4 || s.p[*i + 1] != 'x')
		return -1;
	high = hex_value(s.p[*i + 2]);
	low = hex_value(s.p[*i + 3]);
	*i += 3;
	return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

/* No empty, "." or ".." component behind the leading slash: what escaping could not have made. */
static bool path_is_normal(struct str path)
{
	struct str rest = str_sub(path, 1, path.n);
	struct str part;

	while (str_cut(&rest, '/', &part))
		if (part.n == 0 || str_eq_z(part, ".") || str_eq_z(part, ".."))
			return false;
	return true;
}

int name_unescape(struct str text, bool path, char *out, size_t cap)
{
	size_t at = 0;

	if (cap < 2)
		return err_here(-ENAMETOOLONG);
	if (path)
		out[at++] = '/';
	if (path && str_eq_z(text, "-"))
		text.n = 0;
	else if (path && text.n == 0)
		return err_here(-EINVAL);
	for (size_t i = 0; i < text.n; i++) {
		int c = unescape_one(text, &i);

		if (c < 0)
			return err_here(-EINVAL);
		if (at + 1 >= cap)
			return err_here(-ENAMETOOLONG);
		out[at++] = (char)c;
	}
	out[at] = '\0';
	if (path && at > 1 && !path_is_normal((struct str){out, at}))
		return err_here(-EINVAL);
	return (int)at;
}

/* The path of a mount point or device as a unit name. */
static int from_path(struct str path, char *out, size_t cap)
{
	bool is_device = str_has_prefix(path, STR("/dev/")) || str_has_prefix(path, STR("/sys/"));
	char escaped[UNIT_NAME_MAX + 1];
	int r = name_escape(path, true, escaped, sizeof(escaped));
	const struct str pieces[] = {{escaped, r < 0 ? 0 : (size_t)r},
				     is_device ? STR(".device") : STR(".mount")};

	return r < 0 ? r : join(pieces, ARRAY_SIZE(pieces), out, cap);
}

int name_from_user(const char *text, char *out, size_t cap)
{
	struct str s = str_of(text);
	char plain[UNIT_NAME_MAX + 1];
	struct str pieces[2] = {{plain, 0}, STR("")};
	int r;

	if (s.n == 0)
		return err_here(-EINVAL);
	if (s.p[0] == '/')
		return from_path(s, out, cap);
	plain[0] = '\0';
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '/' ? '-' : s.p[i];

		if (!put_byte(plain, sizeof(plain), &pieces[0].n, c, is_name_char(c) || c == '@'))
			return err_here(-ENAMETOOLONG);
	}
	if (unit_type_of(plain) < 0)
		pieces[1] = STR(".service");
	r = join(pieces, ARRAY_SIZE(pieces), out, cap);
	if (r < 0)
		return r;
	return name_is_valid(out, NAME_ANY) ? 0 : err_here(-EINVAL);
}
