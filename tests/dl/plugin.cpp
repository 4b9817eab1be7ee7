// A C++ plug-in of a host: allocates with operator new and says which operator new it was.
#include <cstddef>
#include <new>

extern "C" void *plugin_allocate(std::size_t size, const void **operator_new) {
  *operator_new = reinterpret_cast<const void *>(static_cast<void *(*)(std::size_t)>(&::operator new));
  return ::operator new(size);
}
