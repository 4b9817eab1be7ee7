#include "report.h"

#include <cmath>
#include <limits>

#include "json.h"

namespace kvc::cli {
namespace {

bool promised(std::span<const Figure> figures, const std::string& key) {
  for (const Figure& figure : figures) {
    if (key == figure.key) return true;
  }
  return false;
}

const char* verdict(const Figure& figure, double value) {
  if (std::isnan(value)) return "missing";
  const auto meets = [&](double limit) { return figure.lower_is_better ? value <= limit : value >= limit; };
  return meets(figure.goal) ? "goal" : meets(figure.bar) ? "bar" : "missed";
}

}  // namespace

double Report::value(const std::string& key) const {
  for (const auto& [name, number] : values_) {
    if (name == key) return number;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string report_table(const Report& report, std::span<const Figure> figures) {
  std::string out = format("%-28s %12s %9s %9s  %-8s %s\n", "figure", "measured", "bar", "goal", "reached", "meaning");
  for (const Figure& figure : figures) {
    const double value = report.value(figure.key);
    const char* sign = figure.lower_is_better ? "<=" : ">=";
    out += format("%-28s %12.4g %2s %6.3g %2s %6.3g  %-8s %s\n", figure.key, value, sign, figure.bar, sign, figure.goal,
                  verdict(figure, value), figure.meaning);
  }
  out += "\nbeside them\n";
  for (const auto& [key, value] : report.values()) {
    if (!promised(figures, key)) out += format("%-36s %12.4g\n", key.c_str(), value);
  }
  if (report.quick()) out += "\n--quick: the numbers mean nothing, only that everything ran\n";
  return out;
}

std::string report_json(const Report& report, std::span<const Figure> figures) {
  Json json;
  json.open_object();
  for (const Figure& figure : figures) json.key(figure.key).real(report.value(figure.key));
  for (const auto& [key, value] : report.values()) {
    if (!promised(figures, key)) json.key(key).real(value);
  }
  json.key("quick").boolean(report.quick()).key("version").text(kvc_version_string());
  return indent_json(json.close_object().str()) + "\n";
}

}  // namespace kvc::cli
