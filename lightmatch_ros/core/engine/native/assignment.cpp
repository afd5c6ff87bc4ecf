// SPDX-FileCopyrightText: 2026 lightmatch_ros developers
// SPDX-License-Identifier: Apache-2.0
//
// Each row's best column and each column's best row in LightGlue's log assignment,
//
//   2 s_ij - lse_j' s_ij' - lse_i' s_i'j + log sigmoid(z0_i) + log sigmoid(z1_j),
//
// in three passes over the similarities: largest values, sums of exponentials, best values. Threads share the rows;
// what they find for the columns is put together after each pass.

#include "simd.h"

#include <omp.h>

#include <cstdlib>

namespace lightmatch {
namespace {

float log_sigmoid(float x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }

// What is known of the columns, by one thread or together: (columns,) each.
struct Columns {
  float *largest, *sum, *best;
  int32_t *row;
};

// Largest value of a row; the columns' with it.
float largest_of(const float *s, int64_t n, const Columns &columns) {
  __m512 most = _mm512_set1_ps(-INFINITY);
  for (int64_t j = 0; j < n; j += 16) {
    const __mmask16 mask = lanes(n - j);
    const __m512 x = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), mask, s + j);
    most = _mm512_max_ps(most, x);
    _mm512_mask_storeu_ps(columns.largest + j, mask, _mm512_max_ps(x, _mm512_maskz_loadu_ps(mask, columns.largest + j)));
  }
  return _mm512_reduce_max_ps(most);
}

// Log of the summed exponentials of a row; adds to the columns' sums, relative to their largest values.
float log_sum_of(const float *s, int64_t n, float largest, const float *column_largest, const Columns &columns) {
  const __m512 scale = _mm512_set1_ps(kLog2E), shift = _mm512_set1_ps(largest);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t j = 0; j < n; j += 16) {
    const __mmask16 mask = lanes(n - j);
    const __m512 x = _mm512_maskz_loadu_ps(mask, s + j);
    const __m512 of_row = exp2_of<6>(_mm512_mul_ps(_mm512_sub_ps(x, shift), scale));
    sum = _mm512_mask_add_ps(sum, mask, sum, of_row);
    const __m512 below = _mm512_sub_ps(x, _mm512_maskz_loadu_ps(mask, column_largest + j));
    const __m512 total = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, columns.sum + j), exp2_of<6>(_mm512_mul_ps(below, scale)));
    _mm512_mask_storeu_ps(columns.sum + j, mask, total);
  }
  return largest + std::log(_mm512_reduce_add_ps(sum));
}

// Best column of a row, the first among equals, and its value without the row's own bias; the columns' best with it.
float best_of(const float *s, int64_t n, int32_t row, float row_bias, const float *column_bias, const Columns &columns,
              int64_t *column) {
  const __m512i step = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512 best = _mm512_set1_ps(-INFINITY);
  __m512i at = _mm512_setzero_si512();
  for (int64_t j = 0; j < n; j += 16) {
    const __mmask16 mask = lanes(n - j);
    const __m512 x = _mm512_maskz_loadu_ps(mask, s + j), twice = _mm512_add_ps(x, x);
    const __m512 of_row = _mm512_add_ps(twice, _mm512_maskz_loadu_ps(mask, column_bias + j));
    const __mmask16 better = _mm512_mask_cmp_ps_mask(mask, of_row, best, _CMP_GT_OQ);
    best = _mm512_mask_mov_ps(best, better, of_row);
    at = _mm512_mask_add_epi32(at, better, step, _mm512_set1_epi32((int)j));
    const __m512 of_column = _mm512_add_ps(twice, _mm512_set1_ps(row_bias));
    const __mmask16 higher = _mm512_mask_cmp_ps_mask(mask, of_column, _mm512_maskz_loadu_ps(mask, columns.best + j), _CMP_GT_OQ);
    _mm512_mask_storeu_ps(columns.best + j, higher, of_column);
    _mm512_mask_storeu_epi32(columns.row + j, higher, _mm512_set1_epi32(row));
  }
  const float most = _mm512_reduce_max_ps(best);
  const __mmask16 equal = _mm512_cmp_ps_mask(best, _mm512_set1_ps(most), _CMP_EQ_OQ);
  *column = _mm512_mask_reduce_min_epi32(equal, at);
  return most;
}

// Rows of the similarities are `columns` apart. Of the answers, values (rows,) include all terms.
int assign(const float *similarity, const float *logits0, const float *logits1, int64_t rows, int64_t columns,
           float *values, int64_t *best_column, int64_t *best_row, int threads) {
  if (rows < 1 || columns < 1) return 1;
  const int64_t wide = (columns + 15) / 16 * 16;
  // For each thread four arrays of columns, then of all together largest and bias, of rows largest and bias.
  auto *memory = (float *)std::aligned_alloc(64, (size_t)((4 * threads + 2) * wide + 2 * ((rows + 15) / 16 * 16)) * 4);
  if (!memory) return 2;
  auto of_thread = [&](int t) {
    float *first = memory + 4 * t * wide;
    return Columns{first, first + wide, first + 2 * wide, (int32_t *)(first + 3 * wide)};
  };
  float *largest1 = memory + 4 * threads * wide, *bias1 = largest1 + wide, *largest0 = bias1 + wide;
  float *bias0 = largest0 + (rows + 15) / 16 * 16;
#pragma omp parallel num_threads(threads)
  {
    const int t = omp_get_thread_num(), count = omp_get_num_threads();
    const int64_t first = rows * t / count, last = rows * (t + 1) / count;
    const Columns mine = of_thread(t);
    for (int64_t j = 0; j < columns; ++j) mine.largest[j] = mine.best[j] = -INFINITY, mine.sum[j] = 0, mine.row[j] = 0;
    for (int64_t i = first; i < last; ++i) largest0[i] = largest_of(similarity + i * columns, columns, mine);
#pragma omp barrier
#pragma omp for schedule(static)
    for (int64_t j = 0; j < columns; ++j) {
      largest1[j] = of_thread(0).largest[j];
      for (int u = 1; u < count; ++u) largest1[j] = std::fmax(largest1[j], of_thread(u).largest[j]);
    }
    for (int64_t i = first; i < last; ++i)
      bias0[i] = log_sigmoid(logits0[i]) - log_sum_of(similarity + i * columns, columns, largest0[i], largest1, mine);
#pragma omp barrier
#pragma omp for schedule(static)
    for (int64_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (int u = 0; u < count; ++u) sum += of_thread(u).sum[j];
      bias1[j] = log_sigmoid(logits1[j]) - largest1[j] - std::log(sum);
    }
    for (int64_t i = first; i < last; ++i)
      values[i] = bias0[i] + best_of(similarity + i * columns, columns, (int32_t)i, bias0[i], bias1, mine, best_column + i);
#pragma omp barrier
#pragma omp for schedule(static)
    for (int64_t j = 0; j < columns; ++j) {
      int best = 0;
      for (int u = 1; u < count; ++u)
        if (of_thread(u).best[j] > of_thread(best).best[j]) best = u;
      best_row[j] = of_thread(best).row[j];
    }
  }
  std::free(memory);
  return 0;
}

} // namespace
} // namespace lightmatch

extern "C" int lightmatch_assign(const float *similarity, const float *logits0, const float *logits1, int64_t rows,
                                 int64_t columns, float *values, int64_t *best_column, int64_t *best_row, int threads) {
  return lightmatch::assign(similarity, logits0, logits1, rows, columns, values, best_column, best_row, threads);
}
