// Debian has no C++ library for musl. glibc's does, with what it finds in its own C library and not in musl: this, under
// the name of glibc's linker, which it asks for.

#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;
unsigned __cpu_model[4];

int __cpu_indicator_init(void) { return 0; }

int _dl_find_object(void *address, void *result) { return -1; }

int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) { return 0; }

size_t __strftime_l(char *to, size_t most, const char *format, const struct tm *time, locale_t locale) {
  return strftime_l(to, most, format, time, locale);
}

uint32_t arc4random(void) {
  uint32_t number = 0;
  getrandom(&number, sizeof number, 0);
  return number;
}
