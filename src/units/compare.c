/* SPDX-License-Identifier: MIT */
#include "units/compare.h"

#include <fnmatch.h>

enum compare compare_cut_operator(struct str *s)
{
	/* The longer ones stand before those they begin with. */
	static const struct {
		const char *text;
		enum compare op;
	} operators[] = {
		{"<=", CMP_LE},      {"<>", CMP_NE},     {"<", CMP_LT},         {">=", CMP_GE},
		{">", CMP_GT},       {"==", CMP_EQ},     {"!$=", CMP_NOT_GLOB}, {"$=", CMP_GLOB},
		{"!=", CMP_TEXT_NE}, {"=", CMP_TEXT_EQ},
	};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		struct str text = str_of(operators[i].text);

		if (str_has_prefix(*s, text)) {
			*s = str_sub(*s, text.n, s->n);
			return operators[i].op;
		}
	}
	return CMP_NONE;
}

bool compare_order(enum compare op, int order)
{
	switch (op) {
	case CMP_LT:
		return order < 0;
	case CMP_LE:
		return order <= 0;
	case CMP_EQ:
	case CMP_TEXT_EQ:
		return order == 0;
	case CMP_NE:
	case CMP_TEXT_NE:
		return order != 0;
	case CMP_GT:
		return order > 0;
	case CMP_NONE: /* a bare number asks for at least so many */
	case CMP_GE:
		return order >= 0;
	case CMP_GLOB:
	case CMP_NOT_GLOB:
		break;
	}
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct str cut_class(const char **s, bool (*is)(char))
{
	const char *from = *s;

	while (is(**s))
		(*s)++;
	return (struct str){from, (size_t)(*s - from)};
}

/* Numbers of any length: without leading zeros the longer one is greater. */
static int compare_digits(struct str a, struct str b)
{
	while (a.n && a.p[0] == '0')
		a = str_sub(a, 1, a.n);
	while (b.n && b.p[0] == '0')
		b = str_sub(b, 1, b.n);
	return a.n != b.n ? (a.n > b.n ? 1 : -1) : str_cmp(a, b);
}

static const char *skip_strange(const char *s)
{
	while (*s && !is_digit(*s) && !is_letter(*s) && !strchr("-~^.", *s))
		s++;
	return s;
}

/*
 * One separator off both. Returns 0 when there is none to look at, 2 when both had the same, else -1 or 1: the one that has
 * it is older. '~' comes even before the end of the text: "1~rc1" < "1".
 */
static int compare_separators(const char **a, const char **b)
{
	static const char separators[] = {'~', '\0', '-', '^', '.'};

	for (size_t i = 0; i < ARRAY_SIZE(separators); i++) {
		bool has_a = **a == separators[i];
		bool has_b = **b == separators[i];

		if (has_a != has_b)
			return has_a ? -1 : 1;
		if (has_a) {
			*a += separators[i] != '\0';
			*b += separators[i] != '\0';
			return 2;
		}
	}
	return 0;
}

/* The order of the version format of the UAPI group: separators first, then digits by value and letters by code. */
int compare_versions(const char *a, const char *b)
{
	for (;;) {
		int order;

		a = skip_strange(a);
		b = skip_strange(b);
		if (!*a && !*b)
			return 0;
		order = compare_separators(&a, &b);
		if (order == 2)
			continue;
		if (order == 0 && is_digit(*a) != is_digit(*b))
			order = is_digit(*a) ? 1 : -1;
		if (order == 0)
			order = is_digit(*a) ? compare_digits(cut_class(&a, is_digit),
							      cut_class(&b, is_digit))
					     : str_cmp(cut_class(&a, is_letter),
						       cut_class(&b, is_letter));
		if (order)
			return order;
	}
}

bool compare_text(enum compare op, const char *value, const char *wanted)
{
	switch (op) {
	case CMP_GLOB:
		return fnmatch(wanted, value, 0) == 0;
	case CMP_NOT_GLOB:
		return fnmatch(wanted, value, 0) != 0;
	case CMP_TEXT_EQ:
	case CMP_TEXT_NE:
		return compare_order(op, strcmp(value, wanted));
	case CMP_NONE:
	case CMP_LE:
	case CMP_NE:
	case CMP_LT:
	case CMP_GE:
	case CMP_GT:
	case CMP_EQ:
		break;
	}
	return compare_order(op, compare_versions(value, wanted));
}
