// A unit with exceptions, linked with one without: each has its own namespace, so neither takes the other's functions.
#include <kvc/kvc.hpp>

int other_unit();

int main() {
  try {
    kvc::Config config("no such preset");
  } catch (const kvc::Error& error) {
    return error.code() == KVC_E_INVALID ? other_unit() : 2;
  }
  return 3;
}
