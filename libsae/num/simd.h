/* How kernels get vector code without depending on the machine that compiled them. */
#ifndef SAEI_SIMD_H
#define SAEI_SIMD_H

/* One body, compiled for AVX-512, AVX2 and the baseline, chosen at load time. No product is contracted with
   a sum (-std=c11), so every clone gives the same bits. Sanitizers and clang 14 do not support the dispatch.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SAEI_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SAEI_CLONES
#endif

#endif
