/* SPDX-License-Identifier: BSD-3-Clause */
/* status.h -- filling in the caller's error struct. */
#ifndef FC_PLATFORM_STATUS_H
#define FC_PLATFORM_STATUS_H

#include "fastconv.h"

/* Writes the status and a printf-formatted sentence to `error` (which may be NULL) and answers the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
fc_status
fc_fail(fc_error *error, fc_status status, const char *format, ...);

fc_status fc_succeed(fc_error *error);

#endif
