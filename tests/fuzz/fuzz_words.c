/* SPDX-License-Identifier: MIT */
/* Command lines and environment files: any text is split within its bytes, in every mode, without loss of memory. */
#include "units/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *self(void *arg, struct str name)
{
	(void)name;
	return arg;
}

static int check_pair(void *arg, struct str name, struct str value)
{
	if (!words_env_name_is_valid(name) || name.n + value.n > *(size_t *)arg)
		__builtin_trap();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct arena arena = {0};
	const char *argv[] = {NULL, NULL};
	const char **out;
	uint32_t argc;
	char *word;
	size_t at;

	for (unsigned flags = 0; flags < 8; flags++) {
		struct str rest = text;

		while (words_next(&rest, flags, &arena, &word, &at) > 0) {
			argv[0] = word;
			if (words_expand(argv, self, word, &arena, &out, &argc) == 0 && out[argc])
				__builtin_trap();
		}
	}
	(void)!words_env_file(text, &arena, check_pair, &size);
	arena_fini(&arena);
	return 0;
}
