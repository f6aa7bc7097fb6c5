/* SPDX-License-Identifier: MIT */
/* In place of http*.c and jail.c where cowtrace is built without libmicrohttpd (HTTP=0). */
#include "serve/http.h"

bool http__is_built(void)
{
	return false;
}

int http__main(void)
{
	return 3;
}
