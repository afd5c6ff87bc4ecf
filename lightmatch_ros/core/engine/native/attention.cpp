// SPDX-FileCopyrightText: 2026 lightmatch_ros developers
// SPDX-License-Identifier: Apache-2.0
//
// softmax(Q K^T) V for processors with AVX-512, in float32 or, with AVX512_BF16, in bfloat16 with float32 sums.
//
// A few queries at a time: their scores against all keys, the exponentials, the weighted sum of the values; all in
// registers and a thread's own cache. Keys and values are packed once for each head so that both products are outer
// products, one unit of the left side times 16 lanes of the right. No shape needs anything prepared.

#include "simd.h"

#include <omp.h>

#include <cstdlib>
#include <cstring>

namespace lightmatch {
namespace {

constexpr int kRows = 6;    // queries at a time: 6 x 4 sums and 4 operands fill 28 of 32 registers
constexpr int kPanel = 64;  // keys at a time: 4 registers of 16 lanes
constexpr int kOdd = 32;    // values between rows, so that rows of 4 kB do not fall on the same lines of the cache
constexpr int kChunk = 8;   // row blocks that a thread takes at once

// The sizes of one head, and of the room that a thread needs.
template <typename Type> struct Sizes {
  int64_t channels, keys, panels, units, row;
  Sizes(int64_t channels, int64_t keys)
      : channels(channels), keys(keys), panels((keys + kPanel - 1) / kPanel), units(channels / Type::kPerUnit),
        row(panels * kPanel + kOdd) {}
  int64_t packed() const { return panels * kPanel * units; } // units of a head's keys, or of its values
  int64_t thread_bytes() const {
    return kRows * (row * (int64_t)(sizeof(float) + sizeof(typename Type::Value)) + units * 4) / 64 * 64 + 128;
  }
};

// Keys of a panel, unit after unit: (units, 64); keys beyond the last are zero.
template <typename Type>
void pack_keys(const typename Type::Value *first, int64_t stride, int64_t count, const Sizes<Type> &n,
               typename Type::Unit *out) {
  const __m512i row = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                         _mm512_set1_epi32((int)(stride / Type::kPerUnit)));
  for (int t = 0; t < kPanel; t += 16) {
    const auto *keys = (const int *)(first + t * stride);
    const __mmask16 real = lanes(count - t);
    for (int64_t u = 0; u < n.units; ++u) {
      const __m512i column = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), real, row, keys + u, 4);
      _mm512_storeu_si512((void *)(out + u * kPanel + t), column);
    }
  }
}

// Values of a panel, as many rows as a unit holds beside each other: (64 / per unit, channels) units.
template <typename Type>
void pack_values(const typename Type::Value *first, int64_t stride, int64_t count, const Sizes<Type> &n,
                 typename Type::Unit *out) {
  static const typename Type::Value zeros[16] = {};
  for (int64_t j = 0; j < kPanel; j += Type::kPerUnit)
    for (int64_t c = 0; c < n.channels; c += 16) {
      const typename Type::Value *rows[Type::kPerUnit];
      for (int i = 0; i < Type::kPerUnit; ++i) rows[i] = j + i < count ? first + (j + i) * stride + c : zeros;
      Type::interleave(rows, out + j / Type::kPerUnit * n.channels + c);
    }
}

// Scores of kRows queries against all keys, and the largest of each; minus infinity beyond the last key.
template <typename Type>
void scores_of(const typename Type::Unit *queries, const typename Type::Unit *keys, const Sizes<Type> &n, float *scores,
               float *largest) {
  __m512 most[kRows];
  for (auto &m : most) m = _mm512_set1_ps(-INFINITY);
  for (int64_t p = 0; p < n.panels; ++p) {
    const auto *panel = keys + p * kPanel * n.units;
    __m512 sum[kRows][4];
    for (auto &row : sum)
      for (auto &x : row) x = _mm512_setzero_ps();
    for (int64_t u = 0; u < n.units; ++u) {
      __m512 right[4];
      for (int t = 0; t < 4; ++t) right[t] = Type::load_units(panel + u * kPanel + 16 * t);
      for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < 4; ++t) sum[r][t] = Type::multiply_add(sum[r][t], queries + r * n.units + u, right[t]);
    }
    for (int t = 0; t < 4; ++t) {
      const __mmask16 real = lanes(n.keys - p * kPanel - 16 * t);
      for (int r = 0; r < kRows; ++r) {
        const __m512 x = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), real, sum[r][t]);
        most[r] = _mm512_max_ps(most[r], x);
        _mm512_storeu_ps(scores + r * n.row + p * kPanel + 16 * t, x);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) largest[r] = _mm512_reduce_max_ps(most[r]);
}

// exp(score - largest) of a row, and their sum.
template <typename Type>
float weights_of(const float *scores, float largest, const Sizes<Type> &n, typename Type::Value *weights) {
  const __m512 shift = _mm512_set1_ps(-largest * kLog2E), scale = _mm512_set1_ps(kLog2E);
  __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
  for (int64_t j = 0; j < n.panels * kPanel; j += 32) {
    const __m512 x0 = exp2_of<Type::kExpDegree>(_mm512_fmadd_ps(_mm512_loadu_ps(scores + j), scale, shift));
    const __m512 x1 = exp2_of<Type::kExpDegree>(_mm512_fmadd_ps(_mm512_loadu_ps(scores + j + 16), scale, shift));
    sum0 = _mm512_add_ps(sum0, x0);
    sum1 = _mm512_add_ps(sum1, x1);
    Type::store_pair(weights + j, x0, x1);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

// Weighted means of kVectors x 16 channels of the values, for kRows rows of which the first `rows` are stored.
template <typename Type, int kVectors>
void contexts_of(const typename Type::Value *weights, const float *sums, const typename Type::Unit *values,
                 const Sizes<Type> &n, int rows, typename Type::Value *out, int64_t out_row) {
  __m512 sum[kRows][kVectors];
  for (auto &row : sum)
    for (auto &x : row) x = _mm512_setzero_ps();
  for (int64_t j = 0; j < n.panels * kPanel / Type::kPerUnit; ++j) {
    __m512 right[kVectors];
    for (int t = 0; t < kVectors; ++t) right[t] = Type::load_units(values + j * n.channels + 16 * t);
    for (int r = 0; r < kRows; ++r) {
      const auto *left = (const typename Type::Unit *)(weights + r * n.row) + j;
      for (int t = 0; t < kVectors; ++t) sum[r][t] = Type::multiply_add(sum[r][t], left, right[t]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int t = 0; t < kVectors; ++t)
      Type::store(out + r * out_row + 16 * t, 0xffff, _mm512_mul_ps(sum[r][t], _mm512_set1_ps(1.0f / sums[r])));
}

// Contexts of the queries first to first + rows of one head.
template <typename Type>
void attend_block(const Heads<const typename Type::Value> &q, const Heads<typename Type::Value> &out, int64_t h,
                  int64_t first, int rows, const typename Type::Unit *keys, const typename Type::Unit *values,
                  const Sizes<Type> &n, char *room) {
  using Value = typename Type::Value;
  auto *scores = (float *)room;
  auto *weights = (Value *)(scores + kRows * n.row);
  auto *queries = weights + kRows * n.row;
  for (int r = 0; r < kRows; ++r)
    std::memcpy(queries + r * n.channels, q.at(h, first + (r < rows ? r : 0)), n.channels * sizeof(Value));
  float largest[kRows], sums[kRows];
  scores_of<Type>((const typename Type::Unit *)queries, keys, n, scores, largest);
  for (int r = 0; r < kRows; ++r)
    sums[r] = weights_of<Type>(scores + r * n.row, largest[r], n, weights + r * n.row);
  Value *to = out.at(h, first);
  int64_t c = 0;
  for (; c + 64 <= n.channels; c += 64) contexts_of<Type, 4>(weights, sums, values + c, n, rows, to + c, out.row);
  switch ((n.channels - c) / 16) {
  case 1: contexts_of<Type, 1>(weights, sums, values + c, n, rows, to + c, out.row); break;
  case 2: contexts_of<Type, 2>(weights, sums, values + c, n, rows, to + c, out.row); break;
  case 3: contexts_of<Type, 3>(weights, sums, values + c, n, rows, to + c, out.row); break;
  }
}

// All heads; 0 = done, 1 = sizes that it cannot do, 2 = out of memory.
template <typename Type>
int attend(const Heads<const typename Type::Value> &q, const Heads<const typename Type::Value> &k,
           const Heads<const typename Type::Value> &v, const Heads<typename Type::Value> &out, int64_t heads,
           int64_t queries, int64_t keys, int64_t channels, int threads) {
  using Unit = typename Type::Unit;
  if (queries < 1) return 0;
  if (channels % 16 || channels < 16 || keys < 1 || k.row % Type::kPerUnit) return 1;
  const Sizes<Type> n(channels, keys);
  const int64_t packed_bytes = 2 * heads * n.packed() * (int64_t)sizeof(Unit);
  auto *memory = (char *)std::aligned_alloc(64, (size_t)(packed_bytes + threads * n.thread_bytes()) / 64 * 64 + 64);
  if (!memory) return 2;
  Unit *packed_keys = (Unit *)memory, *packed_values = packed_keys + heads * n.packed();
  const int64_t blocks = (queries + kRows - 1) / kRows;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int64_t i = 0; i < heads * n.panels; ++i) {
      const int64_t h = i / n.panels, first = i % n.panels * kPanel, offset = i * kPanel * n.units;
      pack_keys<Type>(k.at(h, first), k.row, keys - first, n, packed_keys + offset);
      pack_values<Type>(v.at(h, first), v.row, keys - first, n, packed_values + offset);
    }
    char *room = memory + packed_bytes + omp_get_thread_num() * n.thread_bytes();
#pragma omp for schedule(dynamic, kChunk)
    for (int64_t i = 0; i < heads * blocks; ++i) {
      const int64_t h = i / blocks, first = i % blocks * kRows;
      const int rows = (int)(queries - first < kRows ? queries - first : kRows);
      attend_block<Type>(q, out, h, first, rows, packed_keys + h * n.packed(), packed_values + h * n.packed(), n, room);
    }
  }
  std::free(memory);
  return 0;
}

} // namespace
} // namespace lightmatch

#define ATTEND(NAME, TYPE)                                                                                            \
  extern "C" int NAME(const void *q, int64_t q_head, int64_t q_row, const void *k, int64_t k_head, int64_t k_row,     \
                      const void *v, int64_t v_head, int64_t v_row, void *out, int64_t out_head, int64_t out_row,     \
                      int64_t heads, int64_t queries, int64_t keys, int64_t channels, int threads) {                  \
    using Value = lightmatch::TYPE::Value;                                                                            \
    return lightmatch::attend<lightmatch::TYPE>(                                                                      \
        {(const Value *)q, q_head, q_row}, {(const Value *)k, k_head, k_row}, {(const Value *)v, v_head, v_row},      \
        {(Value *)out, out_head, out_row}, heads, queries, keys, channels, threads);                                  \
  }

ATTEND(lightmatch_attend_fp32, Float32)
#ifdef __AVX512BF16__
ATTEND(lightmatch_attend_bf16, BFloat16)
#endif
