/* SPDX-License-Identifier: MIT */
/* suite - how each of these programs ends. */
#pragma once

#include <check.h>
#include <stdlib.h>

/* Runs s as CK_* in the environment say, and frees it. Returns the exit status of main(). */
static inline int suite_run(Suite *s)
{
	SRunner *runner = srunner_create(s);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
