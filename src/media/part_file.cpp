#include "media/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace deconv::media {

PartFile::PartFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {
    for (int attempt = 0; attempt < 10; ++attempt) {
        descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (descriptor_ < 0) throw Error(part_ + ": cannot be written: " + std::generic_category().message(errno));
        struct stat opened {};
        struct stat named {};
        if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            ::close(descriptor_);
            throw Error(path_ + ": another process is fetching it; wait for that one");
        }
        // Whoever held the lock may have given the file its final name since it was opened here: what is locked then is
        // finished, and not to be touched.
        if (::fstat(descriptor_, &opened) == 0 && ::stat(part_.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
            opened.st_dev == named.st_dev) {
            size_ = static_cast<std::uint64_t>(opened.st_size);
            if (::lseek(descriptor_, 0, SEEK_END) >= 0) return;
        }
        ::close(descriptor_);
    }
    throw Error(part_ + ": cannot be locked; try again");
}

PartFile::~PartFile() {
    if (descriptor_ < 0) return;
    if (size_ == 0) ::unlink(part_.c_str());
    ::close(descriptor_);
}

void PartFile::fail(int error_number) const {
    if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
        throw Error(part_ + ": the disk is full (" + std::generic_category().message(error_number) +
                    "); make room and start again, what is there is continued");
    }
    throw Error(part_ + ": cannot be written: " + std::generic_category().message(error_number));
}

void PartFile::append(const char* bytes, std::size_t count) {
    while (count > 0) {
        const ssize_t written = ::write(descriptor_, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail(written < 0 ? errno : ENOSPC);
        bytes += written;
        count -= static_cast<std::size_t>(written);
        size_ += static_cast<std::uint64_t>(written);
    }
}

void PartFile::clear() {
    if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) < 0) fail(errno);
    size_ = 0;
}

void PartFile::commit() {
    // Without this a crash of the machine could leave the name with nothing behind it.
    if (::fsync(descriptor_) != 0) fail(errno);
    if (::rename(part_.c_str(), path_.c_str()) != 0) {
        throw Error(path_ + ": cannot be written: " + std::generic_category().message(errno));
    }
    ::close(descriptor_);
    descriptor_ = -1;
}

}  // namespace deconv::media
