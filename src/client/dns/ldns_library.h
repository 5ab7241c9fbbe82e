// client/dns/ldns_library.h - ldns's own header without the macros that it makes of C++'s words.
#pragma once

#include <ldns/ldns.h>

#undef bool
#undef true
#undef false
