#include "describe.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/json.h"
#include "driver.h"
#include "kernels.h"

namespace kvc_cuda {
namespace {

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

// How many parts (MIG compute instances) a device is cut into: folders gi*/ci* of its own among the capabilities.
size_t parts_of(const std::filesystem::path& capabilities) {
  size_t parts = 0;
  std::error_code none;
  for (const auto& instance : std::filesystem::directory_iterator(capabilities / "mig", none)) {
    if (instance.path().filename().string().rfind("gi", 0) != 0) continue;
    for (const auto& part : std::filesystem::directory_iterator(instance.path(), none)) {
      parts += part.path().filename().string().rfind("ci", 0) == 0 ? 1 : 0;
    }
  }
  return parts;
}

}  // namespace

std::string describe(const char* driver_library, const char* proc_folder) {
  std::shared_ptr<Driver> driver;
  const Status status = Driver::load(driver_library, &driver);
  if (!status.is_ok()) return "{\"runtime\":\"none\",\"why\":" + kvc::json_string(status.message()) + "}";
  std::vector<std::filesystem::path> folders;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(proc_folder, none)) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::string devices;
  for (const std::filesystem::path& folder : folders) {
    const std::filesystem::path file = folder / "information";
    devices += (devices.empty() ? "{\"name\":" : ",{\"name\":") + kvc::json_string(field(file, "Model")) +
               ",\"uuid\":" + kvc::json_string(field(file, "GPU UUID")) + ",\"pci\":" + kvc::json_string(folder.filename().string());
    const size_t parts = parts_of(folder.parent_path().parent_path() / "capabilities" / ("gpu" + field(file, "Device Minor")));
    // Cut into parts, a process sees one of them, and has its memory and processors alone.
    devices += (parts > 0 ? ",\"mig\":" + std::to_string(parts) : std::string()) + "}";
  }
  const int version = driver->version();
  return "{\"runtime\":\"cuda\",\"driver\":\"" + std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10) + "\",\"kernels\":" + std::to_string(embedded_kernels().size()) +
         ",\"devices\":[" + devices + "]" +
         (devices.empty() ? ",\"why\":" + kvc::json_string(std::string("a driver, but no device in ") + proc_folder) : "") +
         "}";
}

}  // namespace kvc_cuda
