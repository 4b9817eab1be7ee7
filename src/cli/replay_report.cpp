#include <algorithm>
#include <cmath>

#include "json.h"
#include "replay.h"
#include "support.h"

namespace kvc::cli {
namespace {

std::vector<std::string> names_of(const std::vector<ReplayResult>& results) {
  std::vector<std::string> names;
  for (const ReplayResult& result : results) {
    if (std::find(names.begin(), names.end(), result.policy) == names.end()) names.push_back(result.policy);
  }
  return names;
}

}  // namespace

std::string replay_table(const Trace& trace, const std::vector<ReplayResult>& results) {
  std::string out = format("%zu requests, %s pages of %u tokens, %s of them different\n\n", trace.requests.size(),
                           with_commas(trace.accesses).c_str(), trace.block_tokens, with_commas(trace.n_blocks).c_str());
  out += format("%9s  %-10s %9s %10s %11s %9s %11s\n", "pages", "policy", "page hits", "token hits", "FLOPs saved",
                "gap closed", "ns per page");
  for (const ReplayResult& r : results) {
    const std::string closed = std::isfinite(r.closure) ? format("%.0f %%", r.closure * 100) : "-";
    const std::string speed = r.ns_per_access > 0 ? format("%.0f", r.ns_per_access) : "-";
    out += format("%9s  %-10s %9.4f %10.4f %11.4f %10s %11s\n", with_commas(r.pages).c_str(), r.policy.c_str(),
                  r.page_hit_ratio, r.token_hit_ratio, r.flops_saved, closed.c_str(), speed.c_str());
  }
  return out;
}

std::string replay_json(const Trace& trace, const ReplayOptions& options, const std::vector<ReplayResult>& results) {
  Json json;
  json.open_object();
  json.key("version").text(kvc_version_string());
  json.key("requests").unsigned_integer(trace.requests.size());
  json.key("page_accesses").unsigned_integer(trace.accesses);
  json.key("different_pages").unsigned_integer(trace.n_blocks);
  json.key("page_tokens").unsigned_integer(trace.block_tokens);
  json.key("hint_recall").real(options.hint_recall);
  json.key("false_hints").real(options.false_hints);
  json.key("finish_reasons").boolean(options.finish);
  json.key("results").open_array();
  for (const ReplayResult& r : results) {
    json.open_object();
    json.key("policy").text(r.policy).key("pages").unsigned_integer(r.pages);
    json.key("page_hit_ratio").real(r.page_hit_ratio).key("token_hit_ratio").real(r.token_hit_ratio);
    json.key("flops_saved").real(r.flops_saved).key("gap_closed").real(r.closure);
    if (r.ns_per_access > 0) json.key("whatif_token_hit_ratio").real(r.whatif_token_hit_ratio);
    if (r.ns_per_access > 0) json.key("ns_per_page").real(r.ns_per_access);
    json.close_object();
  }
  json.close_array().close_object();
  return indent_json(json.str()) + "\n";
}

std::string replay_plot(const std::vector<ReplayResult>& results) {
  constexpr double kWidth = 760, kHeight = 460, kLeft = 60, kRight = 150, kTop = 20, kBottom = 50;
  static constexpr const char* kColours[] = {"#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#c97b2a",
                                             "#4f9da6", "#7a7a7a", "#b5446e", "#5b5b9e", "#9b8816"};
  double low = 1e300, high = 0, top = 0.01;
  for (const ReplayResult& r : results) {
    low = std::min(low, static_cast<double>(r.pages));
    high = std::max(high, static_cast<double>(r.pages));
    top = std::max(top, r.token_hit_ratio);
  }
  const double span = std::max(std::log(high / low), 1e-9);
  const auto x = [&](double pages) { return kLeft + (kWidth - kLeft - kRight) * (std::log(pages / low) / span); };
  const auto y = [&](double ratio) { return kHeight - kBottom - (kHeight - kTop - kBottom) * ratio / top; };
  std::string out = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  for (int i = 0; i <= 4; ++i) {
    const double ratio = top * i / 4;
    out += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", kLeft, kWidth - kRight,
                  y(ratio), y(ratio));
    out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.3f</text>\n", kLeft - 6, y(ratio) + 4, ratio);
  }
  std::vector<uint64_t> sizes;
  for (const ReplayResult& r : results) {
    if (std::find(sizes.begin(), sizes.end(), r.pages) == sizes.end()) sizes.push_back(r.pages);
  }
  for (uint64_t size : sizes) {
    out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x(static_cast<double>(size)),
                  kHeight - kBottom + 18, with_commas(size).c_str());
  }
  out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">pages; hit tokens / tokens</text>\n",
                (kLeft + kWidth - kRight) / 2, kHeight - 12);
  size_t n = 0;
  for (const std::string& name : names_of(results)) {
    const char* colour = name == "minimum" ? "#000000" : kColours[n % std::size(kColours)];
    std::vector<const ReplayResult*> line;
    for (const ReplayResult& r : results) {
      if (r.policy == name) line.push_back(&r);
    }
    std::sort(line.begin(), line.end(), [](auto* a, auto* b) { return a->pages < b->pages; });
    out += format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (const ReplayResult* r : line) {
      out += format("%.1f,%.1f ", x(static_cast<double>(r->pages)), y(r->token_hit_ratio));
    }
    out += format("\"/>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", kWidth - kRight + 10,
                  kTop + 16 * static_cast<double>(++n), colour, name.c_str());
  }
  return out + "</svg>\n";
}

}  // namespace kvc::cli
