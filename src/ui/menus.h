// What the menus offer: sources and networks that are there, and networks that can be fetched.
#pragma once

#include <memory>

#include "live/model_fetch.h"
#include "ui/view_state.h"

namespace deconv::ui {

/// One thread.
class Menus {
  public:
    /// Looks what is there now.
    void look(const live::Options& options, ViewState& view);
    /// Looks again where a menu was opened, and goes on with a network that is being fetched.
    void follow(live::Session& session, ViewState& view);

  private:
    void follow_fetch(live::Session& session, ViewState& view);

    std::unique_ptr<live::ModelFetch> fetch_;
};

}  // namespace deconv::ui
