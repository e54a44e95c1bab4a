#include "ui/x11_drop.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <vector>

namespace deconv::testing {
namespace {

class Dropper {
  public:
    Dropper(::Display* display, std::string path) : display_(display), path_(std::move(path)) {
        source_ = XCreateSimpleWindow(display_, DefaultRootWindow(display_), 0, 0, 1, 1, 0, 0, 0);
    }

    std::string drop() {
        const ::Window target = find(DefaultRootWindow(display_));
        if (target == 0) return "no window takes drops";
        XSetSelectionOwner(display_, atom("XdndSelection"), source_, CurrentTime);
        const auto from = static_cast<long>(source_);
        const auto list = static_cast<long>(atom("text/uri-list"));
        send(target, "XdndEnter", {from, 5L << 24, list, 0, 0});
        constexpr long middle = (640L << 16) | 400;
        send(target, "XdndPosition", {from, 0, middle, CurrentTime, static_cast<long>(atom("XdndActionCopy"))});
        XEvent answer{};
        if (!wait("XdndStatus", answer)) return "the window does not answer";
        if ((answer.xclient.data.l[1] & 1) == 0) return "the window refuses";
        send(target, "XdndDrop", {from, 0, CurrentTime, 0, 0});
        if (!wait("XdndFinished", answer)) return "the window does not finish the drop";
        return {};
    }

  private:
    Atom atom(const char* name) const { return XInternAtom(display_, name, 0); }

    ::Window find(::Window window) const {
        Atom type = 0;
        int format = 0;
        unsigned long count = 0;
        unsigned long rest = 0;
        unsigned char* data = nullptr;
        XGetWindowProperty(display_, window, atom("XdndAware"), 0, 1, 0, XA_ATOM, &type, &format, &count, &rest, &data);
        if (data != nullptr) XFree(data);
        if (count > 0) return window;
        ::Window root = 0;
        ::Window parent = 0;
        ::Window* children = nullptr;
        unsigned number = 0;
        if (XQueryTree(display_, window, &root, &parent, &children, &number) == 0) return 0;
        const std::vector<::Window> all(children, children + number);
        if (children != nullptr) XFree(children);
        for (const ::Window child : all) {
            if (const ::Window found = find(child); found != 0) return found;
        }
        return 0;
    }

    void send(::Window target, const char* message, const std::vector<long>& data) const {
        XEvent event{};
        event.xclient.type = ClientMessage;
        event.xclient.window = target;
        event.xclient.message_type = atom(message);
        event.xclient.format = 32;
        for (std::size_t i = 0; i < 5; ++i) event.xclient.data.l[i] = data[i];
        XSendEvent(display_, target, 0, NoEventMask, &event);
        XFlush(display_);
    }

    /// Waits for a message, and hands the path out meanwhile.
    bool wait(const char* message, XEvent& event) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < end) {
            while (XPending(display_) > 0) {
                XNextEvent(display_, &event);
                if (event.type == SelectionRequest) answer(event.xselectionrequest);
                if (event.type == ClientMessage && event.xclient.message_type == atom(message)) return true;
            }
            ::usleep(10000);
        }
        return false;
    }

    void answer(const XSelectionRequestEvent& request) const {
        const std::string text = "file://" + path_ + "\r\n";
        XChangeProperty(display_, request.requestor, request.property, request.target, 8, PropModeReplace,
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
        XEvent reply{};
        reply.xselection.type = SelectionNotify;
        reply.xselection.requestor = request.requestor;
        reply.xselection.selection = request.selection;
        reply.xselection.target = request.target;
        reply.xselection.property = request.property;
        reply.xselection.time = request.time;
        XSendEvent(display_, request.requestor, 0, NoEventMask, &reply);
        XFlush(display_);
    }

    ::Display* display_;
    std::string path_;
    ::Window source_ = 0;
};

}  // namespace

std::string drop_file(const std::string& display, const std::string& path) {
    ::Display* connection = XOpenDisplay(display.c_str());
    if (connection == nullptr) return "no X server";
    std::string wrong = Dropper(connection, path).drop();
    XCloseDisplay(connection);
    return wrong;
}

}  // namespace deconv::testing
