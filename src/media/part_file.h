// The unfinished file of a download: PATH.part, locked against other processes, continued by the next run.
#pragma once

#include <cstdint>
#include <string>

namespace deconv::media {

class PartFile {
  public:
    /// Opens or makes PATH.part and locks it.  Throws Error where that fails or another process holds it.
    explicit PartFile(std::string path);
    /// Unlocks it.  It stays, unless it is empty.
    ~PartFile();
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;

    const std::string& path() const { return part_; }
    std::uint64_t size() const { return size_; }
    /// Throws Error (disk full, …); what was written before stays.
    void append(const char* bytes, std::size_t count);
    /// Throws all of it away.
    void clear();
    /// Brings it to the disk and gives it the name PATH.  Throws Error.
    void commit();

  private:
    [[noreturn]] void fail(int error_number) const;

    std::string path_, part_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace deconv::media
