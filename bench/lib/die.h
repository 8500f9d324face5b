// A system call that failed is the end.

#pragma once
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}
