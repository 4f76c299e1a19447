/* SPDX-License-Identifier: MIT */
/* A hark-init that knows the layout of the table, and hangs as soon as it lives. */
#include <string.h>
#include <unistd.h>

#include "core/bank.h"

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--layout") == 0)
		return BANK_LAYOUT;
	for (;;)
		pause();
}
