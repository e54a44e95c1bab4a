// The one way in which this project reports failure: an exception whose text is one line that says what is wrong and,
// where it can, what to do.  main() prints it and exits with 1; UsageError exits with 2.
#pragma once

#include <stdexcept>
#include <string>

namespace deconv {

class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A wrong command line or option value.
class UsageError : public Error {
  public:
    using Error::Error;
};

}  // namespace deconv
