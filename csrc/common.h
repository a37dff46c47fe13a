/*
 * hashing.h for the C compiler: a guard and the types it needs.
 * cffi pastes this file at the top of the binding that it generates.
 */
#ifndef BASELOAD_COMMON_H
#define BASELOAD_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "hashing.h"

#endif
