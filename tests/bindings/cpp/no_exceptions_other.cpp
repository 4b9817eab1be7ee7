#include <kvc/kvc.hpp>

int other_unit();
int other_unit() { return kvc::abi_matches() && kvc::options().size() > 5 ? 0 : 1; }
