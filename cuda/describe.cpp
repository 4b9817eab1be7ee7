#include "describe.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "driver.h"
#include "kernels.h"

namespace kvc_cuda {
namespace {

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

// The value after "key:" in a file of such lines.
std::string field(const std::filesystem::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    const size_t at = line.find_first_not_of(" \t", key.size() + 1);
    return at == std::string::npos ? "" : line.substr(at);
  }
  return "";
}

}  // namespace

std::string describe(const char* driver_library, const char* proc_folder) {
  std::shared_ptr<Driver> driver;
  const Status status = Driver::load(driver_library, &driver);
  if (!status.is_ok()) return "{\"runtime\":\"none\",\"why\":" + json_text(status.message()) + "}";
  std::vector<std::filesystem::path> folders;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(proc_folder, none)) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::string devices;
  for (const std::filesystem::path& folder : folders) {
    const std::filesystem::path file = folder / "information";
    devices += (devices.empty() ? "{\"name\":" : ",{\"name\":") + json_text(field(file, "Model")) +
               ",\"uuid\":" + json_text(field(file, "GPU UUID")) + ",\"pci\":" + json_text(folder.filename()) + "}";
  }
  const int version = driver->version();
  return "{\"runtime\":\"cuda\",\"driver\":\"" + std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10) + "\",\"kernels\":" + std::to_string(embedded_kernels().size()) +
         ",\"devices\":[" + devices + "]" +
         (devices.empty() ? ",\"why\":" + json_text(std::string("a driver, but no device in ") + proc_folder) : "") +
         "}";
}

}  // namespace kvc_cuda
