// A file that appears under its name only when it is whole: written beside it under a temporary name, then renamed.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace deconv {

class WholeFile {
  public:
    /// Makes the temporary file.  Throws Error if `path` cannot be written: its folder is missing or forbidden, or it
    /// is a folder itself.  A device or pipe (/dev/stdout) is written directly: renaming over it would replace it.
    explicit WholeFile(std::string path);
    /// Removes the temporary file unless commit() was called; the file under the final name is as it was before.
    ~WholeFile();
    WholeFile(const WholeFile&) = delete;
    WholeFile& operator=(const WholeFile&) = delete;

    void write(const void* bytes, std::size_t size);
    /// Closes the file and gives it its name.  Throws Error (disk full, …).
    void commit();

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }  // NOLINT(cppcoreguidelines-owning-memory)
    };
    std::string path_;       // as the caller named it, for messages
    std::string target_;     // behind symbolic links
    std::string temporary_;  // empty when writing directly
    std::unique_ptr<std::FILE, Close> file_;
};

/// Writes a cache's file whole, and makes its folder.  False where that fails: a cache is only a convenience.  Several
/// programs may do so at once.
bool write_cache_file(const std::string& path, std::string_view bytes);

/// Throws Error now if `path` cannot be written later.  Leaves nothing behind, does not touch an existing file.
void check_writable_file(const std::string& path);

}  // namespace deconv
