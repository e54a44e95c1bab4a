#include "base/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace deconv {
namespace {

namespace fs = std::filesystem;

std::string reason(int error_number) {
    return std::generic_category().message(error_number);
}

enum class Kind { whole, direct };

struct Target {
    fs::path path;  // behind symbolic links
    Kind kind = Kind::whole;
};

/// Finds every fault that can be seen without writing.
Target examine(const std::string& path) {
    if (path.empty()) throw Error("no name given for the file to write");
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (error && status.type() != fs::file_type::not_found) {
        throw Error(path + ": cannot be written: " + error.message());
    }
    if (fs::is_directory(status)) throw Error(path + ": is a folder; give the name of a file to write");
    if (fs::exists(status)) {
        // A file that was made read-only is not replaced, although rename() could.
        if (::access(path.c_str(), W_OK) != 0) throw Error(path + ": cannot be written: " + reason(errno));
        if (!fs::is_regular_file(status)) return {path, Kind::direct};
        const fs::path real = fs::canonical(path, error);
        return {error ? fs::path(path) : real, Kind::whole};
    }
    const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : fs::path(".");
    if (!fs::path(path).has_filename()) throw Error(path + ": is a folder; give the name of a file to write");
    const fs::file_status above = fs::status(folder, error);
    if (!fs::exists(above)) throw Error(path + ": the folder " + folder.string() + " does not exist; make it first");
    if (!fs::is_directory(above)) throw Error(path + ": " + folder.string() + " is not a folder");
    return {path, Kind::whole};
}

}  // namespace

WholeFile::WholeFile(std::string path) : path_(std::move(path)) {
    const Target target = examine(path_);
    target_ = target.path.string();
    if (target.kind == Kind::direct) {
        file_.reset(std::fopen(path_.c_str(), "wb"));  // NOLINT(cppcoreguidelines-owning-memory): owned from here
        if (!file_) throw Error(path_ + ": cannot be written: " + reason(errno));
        return;
    }
    // A short name of its own, because the final name may already be as long as the file system allows.
    const std::string stem = (target.path.parent_path() / (".deconv-" + std::to_string(::getpid()) + "-")).string();
    int descriptor = -1;
    for (int attempt = 0; descriptor < 0 && attempt < 1000; ++attempt) {
        temporary_ = stem + std::to_string(attempt) + ".part";
        descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST) break;
    }
    if (descriptor < 0) throw Error(path_ + ": cannot be written: " + reason(errno));
    file_.reset(::fdopen(descriptor, "wb"));
    if (!file_) {
        const int error_number = errno;
        ::close(descriptor);
        ::unlink(temporary_.c_str());
        throw Error(path_ + ": cannot be written: " + reason(error_number));
    }
}

WholeFile::~WholeFile() {
    file_.reset();
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void WholeFile::write(const void* bytes, std::size_t size) {
    if (size != 0 && std::fwrite(bytes, 1, size, file_.get()) != size) {
        throw Error(path_ + ": cannot be written: " + reason(errno));
    }
}

void WholeFile::commit() {
    // Onto the disk before it gets its name: a power cut must not leave a name without its content.  What cannot be
    // synchronised (a pipe) needs none.
    const bool flushed = std::fflush(file_.get()) == 0;
    if (!flushed || (!temporary_.empty() && ::fsync(::fileno(file_.get())) != 0)) {
        throw Error(path_ + ": cannot be written: " + reason(errno));
    }
    if (std::fclose(file_.release()) != 0) throw Error(path_ + ": cannot be written: " + reason(errno));
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
        throw Error(path_ + ": cannot be written: " + reason(errno));
    }
    temporary_.clear();
}

bool write_cache_file(const std::string& path, std::string_view bytes) {
    try {
        if (const fs::path folder = fs::path(path).parent_path(); !folder.empty()) fs::create_directories(folder);
        WholeFile file(path);
        file.write(bytes.data(), bytes.size());
        file.commit();
        return true;
    } catch (const Error&) {
        return false;
    } catch (const fs::filesystem_error&) {
        return false;
    }
}

void check_writable_file(const std::string& path) {
    // Making the temporary file is the only sure test: permissions alone say nothing about read-only file systems.
    if (examine(path).kind == Kind::whole) WholeFile probe(path);
}

}  // namespace deconv
