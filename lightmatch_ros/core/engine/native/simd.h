// SPDX-FileCopyrightText: 2026 lightmatch_ros developers
// SPDX-License-Identifier: Apache-2.0
//
// What all kernels share: the two types of numbers, an exponential, where a matrix of heads lies.

#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>

namespace lightmatch {

constexpr float kLog2E = 1.44269504f;

// Where a matrix of H heads, rows and C channels lies; channels are contiguous, strides count values.
template <typename T> struct Heads {
  T *data;
  int64_t head, row;
  T *at(int64_t h, int64_t r) const { return data + h * head + r * row; }
};

// Mask of the first `count` of 16 lanes.
inline __mmask16 lanes(int64_t count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

// 2^x for x up to 127, 2^-126 for all that is smaller; Taylor's polynomial of the fraction up to kDegree.
template <int kDegree> inline __m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, whole);
  constexpr float c[] = {1.0f,           0.693147181f,   0.240226507f,  0.0555041087f,
                         0.00961812911f, 0.00133335581f, 0.000154035304f};
  __m512 sum = _mm512_set1_ps(c[kDegree]);
  for (int i = kDegree - 1; i >= 0; --i) sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(c[i]));
  return _mm512_scalef_ps(sum, whole);
}

// A type of numbers. A unit is 32 bits of them: what one lane of a multiplication takes.
struct Float32 {
  using Value = float;
  using Unit = float;
  static constexpr int kPerUnit = 1;
  static constexpr int kExpDegree = 6; // 1e-7 off
  static __m512 multiply_add(__m512 sum, const Unit *left, __m512 right) {
    return _mm512_fmadd_ps(_mm512_set1_ps(*left), right, sum);
  }
  static __m512 load_units(const Unit *p) { return _mm512_loadu_ps(p); }
  static __m512 load(const Value *p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
  static void store(Value *p, __mmask16 mask, __m512 x) { _mm512_mask_storeu_ps(p, mask, x); }
  static __m512 reciprocal(__m512 x) { // one Newton step from 14 bits
    const __m512 r = _mm512_rcp14_ps(x);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0f)));
  }
  static void store_pair(Value *p, __m512 low, __m512 high) {
    _mm512_storeu_ps(p, low);
    _mm512_storeu_ps(p + 16, high);
  }
  // 16 channels of kPerUnit rows as units.
  static void interleave(const Value *const *rows, Unit *out) { _mm512_storeu_ps(out, _mm512_loadu_ps(rows[0])); }
};

#ifdef __AVX512BF16__
struct BFloat16 {
  using Value = uint16_t;
  using Unit = uint32_t;
  static constexpr int kPerUnit = 2;
  static constexpr int kExpDegree = 3; // 6e-4 off, a bfloat16 is 2e-3 off
  static __m512 multiply_add(__m512 sum, const Unit *left, __m512 right) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32((int)*left), (__m512bh)right);
  }
  static __m512 load_units(const Unit *p) { return _mm512_loadu_ps((const float *)p); }
  static __m512 load(const Value *p, __mmask16 mask) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static void store(Value *p, __mmask16 mask, __m512 x) {
    _mm256_mask_storeu_epi16(p, mask, (__m256i)_mm512_cvtneps_pbh(x));
  }
  static __m512 reciprocal(__m512 x) { return _mm512_rcp14_ps(x); }
  static void store_pair(Value *p, __m512 low, __m512 high) {
    _mm512_storeu_si512((void *)p, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  static void interleave(const Value *const *rows, Unit *out) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)rows[0]));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)rows[1]));
    _mm512_storeu_si512((void *)out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
};
#endif

} // namespace lightmatch
