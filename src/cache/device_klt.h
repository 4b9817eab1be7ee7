// Pages of the codecs that learn, and their calibrations, as kernels of a device read them (cuda/kernels/klt_tables.h).
#pragma once

#include <span>

#include "codec/klt_plan.h"
#include "cuda/kernels/klt_tables.h"

namespace kvc {

// Counts of pages with a calibration, or without (nullptr).
kvc_cuda::KltForm klt_form(const PageGeometry& geometry, const KltCalibration* calibration);

// Writes form.calibration_bytes() to out.
void write_klt_calibration(const KltCalibration& calibration, const kvc_cuda::KltForm& form, std::span<std::byte> out);

// What encoding needs besides: form.analysis_bytes().
void write_klt_analysis(const KltCalibration& calibration, std::span<std::byte> out);

// The page's table, form.page_bytes(); its KltPage's coded and clear are to be filled in. Empty: a tile is farther than
// 4 GiB from the page's begin. Throws std::bad_alloc.
std::vector<std::byte> make_klt_table(const kvc_cuda::KltForm& form, const KltPlan& plan);

}  // namespace kvc
