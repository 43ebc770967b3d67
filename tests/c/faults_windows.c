/* SPDX-License-Identifier: BSD-3-Clause */
/* The core asks through three functions of its table of imports, whose places are taken there. */
#include "faults.h"

#include <malloc.h>
#include <string.h>
#include <windows.h>

#include "check.h"

static void *my_aligned_malloc(size_t size, size_t alignment)
{
    return refuse_memory() ? NULL : _aligned_malloc(size, alignment);
}

static void *WINAPI my_virtual_alloc(void *address, SIZE_T size, DWORD type, DWORD protection)
{
    return refuse_memory() ? NULL : VirtualAlloc(address, size, type, protection);
}

static HANDLE WINAPI my_create_thread(SECURITY_ATTRIBUTES *attributes, SIZE_T stack, LPTHREAD_START_ROUTINE body,
                                      void *argument, DWORD flags, DWORD *number)
{
    return refuse_thread() ? NULL : CreateThread(attributes, stack, body, argument, flags, number);
}

static void replace(IMAGE_THUNK_DATA *place, void *mine)
{
    DWORD before;
    CHECK(VirtualProtect(place, sizeof *place, PAGE_READWRITE, &before), "the table of imports cannot be written");
    place->u1.Function = (ULONGLONG)mine;
    VirtualProtect(place, sizeof *place, before, &before);
}

static void take_place(char *library, const char *name, void *mine)
{
    const IMAGE_NT_HEADERS *headers = (void *)(library + ((IMAGE_DOS_HEADER *)library)->e_lfanew);
    const DWORD imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    for (IMAGE_IMPORT_DESCRIPTOR *from = (void *)(library + imports); from->Name; from++) {
        const IMAGE_THUNK_DATA *named = (void *)(library + from->OriginalFirstThunk);
        IMAGE_THUNK_DATA *place = (void *)(library + from->FirstThunk);
        for (; named->u1.AddressOfData; named++, place++) {
            const IMAGE_IMPORT_BY_NAME *function = (void *)(library + named->u1.AddressOfData);
            if (IMAGE_SNAP_BY_ORDINAL(named->u1.Ordinal) || strcmp(function->Name, name)) continue;
            replace(place, mine);
            return;
        }
    }
    CHECK(false, "the core does not import %s", name);
}

bool stand_between(void)
{
    char *core = (char *)GetModuleHandleA(CORE_FILE);
    CHECK(core, "%s is not loaded", CORE_FILE);
    take_place(core, "_aligned_malloc", (void *)my_aligned_malloc);
    take_place(core, "VirtualAlloc", (void *)my_virtual_alloc);
    take_place(core, "CreateThread", (void *)my_create_thread);
    return true;
}
