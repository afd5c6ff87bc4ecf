// SPDX-FileCopyrightText: 2026 lightmatch_ros developers
// SPDX-License-Identifier: Apache-2.0
//
// The parts of a layer between its matrix products, each one pass over the rows, computed in float32.

#include "simd.h"

namespace lightmatch {
namespace {

// x (1 + erf(x / sqrt 2)) / 2. Source: Abramowitz and Stegun, 7.1.26; erf is 1.5e-7 off,
// and less exact where the type is.
template <typename Type> __m512 gelu(__m512 x) {
  const __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.707106781f));
  const __m512 t = Type::reciprocal(_mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), _mm512_set1_ps(1.0f)));
  constexpr float c[] = {0.254829592f, -0.284496736f, 1.421413741f, -1.453152027f, 1.061405429f};
  __m512 sum = _mm512_set1_ps(c[4]);
  for (int i = 3; i >= 0; --i) sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(c[i]));
  const __m512 decay = exp2_of<Type::kExpDegree>(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-kLog2E)));
  const __m512 tail = _mm512_mul_ps(_mm512_mul_ps(sum, t), decay); // 1 - erf(|x| / sqrt 2)
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 twice = _mm512_mask_mov_ps(_mm512_sub_ps(_mm512_set1_ps(2.0f), tail), negative, tail);
  return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.5f)), twice);
}

// Layer norm and GELU of a row, in place.
template <typename Type>
void norm_gelu_row(typename Type::Value *x, const float *scale, const float *shift, int64_t width) {
  __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
  for (int64_t c = 0; c < width; c += 16) sum = _mm512_add_ps(sum, Type::load(x + c, lanes(width - c)));
  const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
  for (int64_t c = 0; c < width; c += 16) {
    const __mmask16 mask = lanes(width - c);
    const __m512 d = _mm512_maskz_sub_ps(mask, Type::load(x + c, mask), mean);
    squares = _mm512_fmadd_ps(d, d, squares);
  }
  const __m512 factor = _mm512_set1_ps(1.0f / std::sqrt(_mm512_reduce_add_ps(squares) / (float)width + 1e-5f));
  for (int64_t c = 0; c < width; c += 16) {
    const __mmask16 mask = lanes(width - c);
    const __m512 normed = _mm512_mul_ps(_mm512_sub_ps(Type::load(x + c, mask), mean), factor);
    const __m512 moved = _mm512_fmadd_ps(normed, _mm512_maskz_loadu_ps(mask, scale + c), _mm512_maskz_loadu_ps(mask, shift + c));
    Type::store(x + c, mask, gelu<Type>(moved));
  }
}

// Turns the pairs of channels (c, c + half) of a row's heads, in place, by the row's angles.
template <typename Type>
void rotate_row(typename Type::Value *x, const typename Type::Value *cosine, const typename Type::Value *sine,
                int64_t heads, int64_t half) {
  for (int64_t h = 0; h < heads; ++h, x += 2 * half)
    for (int64_t c = 0; c < half; c += 16) {
      const __mmask16 mask = lanes(half - c);
      const __m512 even = Type::load(x + c, mask), odd = Type::load(x + half + c, mask);
      const __m512 cos = Type::load(cosine + c, mask), sin = Type::load(sine + c, mask);
      Type::store(x + c, mask, _mm512_fmsub_ps(even, cos, _mm512_mul_ps(odd, sin)));
      Type::store(x + half + c, mask, _mm512_fmadd_ps(odd, cos, _mm512_mul_ps(even, sin)));
    }
}

// Adds an update to a row of states, and writes the sum, rounded, to `low`.
template <typename Type>
void add_row(float *states, const typename Type::Value *update, typename Type::Value *low, int64_t width) {
  for (int64_t c = 0; c < width; c += 16) {
    const __mmask16 mask = lanes(width - c);
    const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, states + c), Type::load(update + c, mask));
    _mm512_mask_storeu_ps(states + c, mask, sum);
    Type::store(low + c, mask, sum);
  }
}

} // namespace
} // namespace lightmatch

#define ROWWISE(SUFFIX, TYPE)                                                                                         \
  extern "C" void lightmatch_norm_gelu_##SUFFIX(void *x, const float *scale, const float *shift, int64_t rows,        \
                                                int64_t width, int threads) {                                         \
    using Value = lightmatch::TYPE::Value;                                                                            \
    _Pragma("omp parallel for num_threads(threads)") for (int64_t r = 0; r < rows; ++r)                               \
        lightmatch::norm_gelu_row<lightmatch::TYPE>((Value *)x + r * width, scale, shift, width);                     \
  }                                                                                                                   \
  extern "C" void lightmatch_rotate_##SUFFIX(void *x, int64_t x_row, const void *cosine, const void *sine,            \
                                             int64_t angle_row, int64_t rows, int64_t heads, int64_t half,            \
                                             int threads) {                                                           \
    using Value = lightmatch::TYPE::Value;                                                                            \
    _Pragma("omp parallel for num_threads(threads)") for (int64_t r = 0; r < rows; ++r)                               \
        lightmatch::rotate_row<lightmatch::TYPE>((Value *)x + r * x_row, (const Value *)cosine + r * angle_row,       \
                                                 (const Value *)sine + r * angle_row, heads, half);                   \
  }                                                                                                                   \
  extern "C" void lightmatch_add_##SUFFIX(float *states, const void *update, void *low, int64_t low_row,              \
                                          int64_t rows, int64_t width, int threads) {                                 \
    using Value = lightmatch::TYPE::Value;                                                                            \
    _Pragma("omp parallel for num_threads(threads)") for (int64_t r = 0; r < rows; ++r)                               \
        lightmatch::add_row<lightmatch::TYPE>(states + r * width, (const Value *)update + r * width,                  \
                                              (Value *)low + r * low_row, width);                                     \
  }

ROWWISE(fp32, Float32)
#ifdef __AVX512BF16__
ROWWISE(bf16, BFloat16)
#endif
