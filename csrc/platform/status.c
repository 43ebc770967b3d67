/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *fc_status_text(fc_status status)
{
    switch (status) {
#define FC_STATUS_TEXT(name, text) \
    case name: return text;
        FC_STATUS_LIST(FC_STATUS_TEXT)
#undef FC_STATUS_TEXT
    }
    return "an unknown status";
}

fc_status fc_fail(fc_error *error, fc_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

fc_status fc_succeed(fc_error *error)
{
    if (error) {
        error->status = FC_OK;
        error->message[0] = '\0';
    }
    return FC_OK;
}
