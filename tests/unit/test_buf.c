/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "core/buf.h"
#include "suite.h"

START_TEST(round_trip)
{
	char bytes[64];
	struct wbuf w = {.p = bytes, .cap = sizeof(bytes)};
	struct rbuf r;

	wbuf_u16(&w, 0x1234);
	wbuf_u32(&w, 0xdeadbeef);
	wbuf_u64(&w, UINT64_C(0x0123456789abcdef));
	wbuf_str(&w, STR("he\0y"));
	wbuf_str(&w, (struct str){0});
	ck_assert(!w.bad);
	r = (struct rbuf){.p = bytes, .n = w.n};
	ck_assert_uint_eq(rbuf_u16(&r), 0x1234);
	ck_assert_uint_eq(rbuf_u32(&r), 0xdeadbeef);
	ck_assert_uint_eq(rbuf_u64(&r), UINT64_C(0x0123456789abcdef));
	ck_assert(str_eq(rbuf_str(&r), STR("he\0y")));
	ck_assert_uint_eq(rbuf_str(&r).n, 0);
	ck_assert_uint_eq(rbuf_left(&r), 0);
	ck_assert(!r.bad);
}
END_TEST

START_TEST(overflow_is_noted_and_writes_nothing_more)
{
	char bytes[16];

	for (size_t cap = 0; cap <= sizeof(bytes); cap++) {
		struct wbuf w = {.p = bytes, .cap = cap};

		memset(bytes, '#', sizeof(bytes));
		wbuf_u64(&w, 0);
		wbuf_str(&w, STR("abcd"));
		wbuf_u16(&w, 0);
		ck_assert(w.bad);
		ck_assert_uint_le(w.n, cap);
		for (size_t i = cap; i < sizeof(bytes); i++)
			ck_assert_int_eq(bytes[i], '#');
	}
}
END_TEST

START_TEST(underrun_is_noted_and_stays)
{
	char bytes[32];
	struct wbuf w = {.p = bytes, .cap = sizeof(bytes)};

	wbuf_u64(&w, 5);
	wbuf_str(&w, STR("abcd"));
	wbuf_u16(&w, 9);
	for (size_t n = 0; n < w.n; n++) {
		struct rbuf r = {.p = bytes, .n = n};

		(void)rbuf_u64(&r);
		(void)rbuf_str(&r);
		ck_assert_uint_eq(rbuf_u16(&r), 0);
		ck_assert(r.bad);
		ck_assert_uint_eq(rbuf_left(&r), 0);
		ck_assert_ptr_null(rbuf_bytes(&r, 0));
	}
}
END_TEST

START_TEST(lengths_that_lie)
{
	const unsigned char bytes[] = {0xff, 0xff, 0xff, 0xff, 'a'};
	struct rbuf r = {.p = (const char *)bytes, .n = sizeof(bytes)};
	struct rbuf none = {0};
	struct wbuf w = {0};

	ck_assert_ptr_null(rbuf_str(&r).p);
	ck_assert(r.bad);
	ck_assert_ptr_nonnull(rbuf_bytes(&none, 0));
	ck_assert_ptr_null(rbuf_bytes(&none, 1));
	wbuf_str(&w, (struct str){"x", (size_t)UINT32_MAX + 1});
	ck_assert(w.bad);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, overflow_is_noted_and_writes_nothing_more);
	tcase_add_test(tc, underrun_is_noted_and_stays);
	tcase_add_test(tc, lengths_that_lie);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
