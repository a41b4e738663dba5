/* Whether this build is one with AddressSanitizer, whose shadow takes terabytes of address space. */
#ifndef SAEI_SANITIZER_H
#define SAEI_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define SAEI_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAEI_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef SAEI_ADDRESS_SANITIZER
#define SAEI_ADDRESS_SANITIZER 0
#endif

#endif
