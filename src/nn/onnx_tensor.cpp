#include "nn/onnx_tensor.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/half.h"

namespace deconv::nn {

namespace {

namespace fs = std::filesystem;

// ONNX stores raw and external data in little-endian order.
static_assert(std::endian::native == std::endian::little);

float bfloat_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

/// Where a tensor's bytes come from, read once from beginning to end.
class ByteSource {
  public:
    ByteSource(const std::string& bytes, std::string what) : bytes_(bytes.data()), what_(std::move(what)) {}
    ByteSource(std::ifstream file, std::string what) : file_(std::move(file)), what_(std::move(what)) {}

    void read(void* to, std::size_t count) {
        if (count == 0) return;
        if (bytes_ != nullptr) {
            std::memcpy(to, bytes_, count);
            bytes_ += count;
        } else if (!file_.read(static_cast<char*>(to), static_cast<std::streamsize>(count))) {
            throw Error(what_ + ": its external file cannot be read");
        }
    }

  private:
    const char* bytes_ = nullptr;  // null: the bytes come from the file
    std::ifstream file_;
    std::string what_;
};

std::optional<std::string> external_entry(const onnx::TensorProto& tensor, std::string_view key) {
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == key) return entry.value();
    }
    return std::nullopt;
}

std::optional<std::uint64_t> external_number(const onnx::TensorProto& tensor, std::string_view key,
                                             const std::string& what) {
    const auto text = external_entry(tensor, key);
    if (!text) return std::nullopt;
    std::uint64_t number = 0;
    const char* end = text->data() + text->size();
    const auto [stop, status] = std::from_chars(text->data(), end, number);
    if (text->empty() || status != std::errc{} || stop != end) {
        throw Error(what + ": the " + std::string(key) + " of its external data is not a number");
    }
    return number;
}

/// The file named by `location`, which must lie inside `folder` whatever links and ".." it goes through: a model from
/// elsewhere must not make the program read other files of the person who opens it.
fs::path external_path(const std::string& location, const std::string& folder, const std::string& what) {
    if (location.find('\0') != std::string::npos) throw Error(what + ": the name of its external file is damaged");
    const std::string label = what + ": external data '" + location + "' ";
    const fs::path relative(location);
    if (location.empty() || relative.is_absolute() || relative.has_root_name()) {
        throw Error(label + "must be named by a relative path inside the model's folder");
    }
    std::error_code failed;
    const fs::path root = fs::weakly_canonical(folder.empty() ? fs::path(".") : fs::path(folder), failed);
    if (failed) throw Error(label + "cannot be found: " + failed.message());
    fs::path file = fs::weakly_canonical(root / relative, failed);
    if (failed) throw Error(label + "cannot be found: " + failed.message());
    const auto differs = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
    if (differs.first != root.end()) throw Error(label + "lies outside the model's folder, which is refused");
    if (!fs::exists(file, failed)) throw Error(label + "does not exist beside the model");
    if (!fs::is_regular_file(file, failed)) throw Error(label + "is not a file");
    return file;
}

ByteSource open_external(const onnx::TensorProto& tensor, const std::string& what, const std::string& folder,
                         std::uint64_t bytes) {
    const auto location = external_entry(tensor, "location");
    if (!location) throw Error(what + ": its external data names no file");
    const fs::path path = external_path(*location, folder, what);
    const std::string label = what + ": external data '" + *location + "' ";
    const std::uint64_t offset = external_number(tensor, "offset", what).value_or(0);
    const std::uint64_t length = external_number(tensor, "length", what).value_or(bytes);
    if (length != bytes) {
        throw Error(label + "has " + std::to_string(length) + " bytes where the shape asks for " +
                    std::to_string(bytes));
    }
    std::error_code failed;
    const std::uint64_t size = fs::file_size(path, failed);
    if (failed) throw Error(label + "cannot be read: " + failed.message());
    if (offset > size || length > size - offset) {
        throw Error(label + "is too short: " + std::to_string(length) + " bytes at " + std::to_string(offset) +
                    " are asked of " + std::to_string(size));
    }
    std::ifstream file(path, std::ios::binary);
    if (!file.seekg(static_cast<std::streamoff>(offset))) throw Error(label + "cannot be read");
    return {std::move(file), what};
}

/// `Stored` is the type in raw and external data, `Field` the typed list that can hold the values instead.
template <typename Stored, typename Field, typename Convert>
auto decode_values(const onnx::TensorProto& tensor, const Field& field, std::uint64_t count, const std::string& what,
                   const std::string& folder, Convert convert) {
    using Result = std::invoke_result_t<Convert, Stored>;
    const bool external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
    if (count > std::vector<Result>().max_size() / sizeof(double)) throw Error(what + ": its shape is too large");
    const std::uint64_t bytes = count * sizeof(Stored);

    if (!external && tensor.raw_data().empty()) {
        if (static_cast<std::uint64_t>(field.size()) != count) {
            throw Error(what + ": " + std::to_string(field.size()) + " values where the shape asks for " +
                        std::to_string(count));
        }
        std::vector<Result> values(count);
        std::transform(field.begin(), field.end(), values.begin(),
                       [&](auto value) { return convert(static_cast<Stored>(value)); });
        return values;
    }
    if (!external && tensor.raw_data().size() != bytes) {
        throw Error(what + ": " + std::to_string(tensor.raw_data().size()) + " bytes where the shape asks for " +
                    std::to_string(bytes));
    }
    ByteSource source = external ? open_external(tensor, what, folder, bytes) : ByteSource(tensor.raw_data(), what);
    std::vector<Result> values(count);
    if constexpr (std::is_same_v<Stored, Result>) {
        source.read(values.data(), bytes);
    } else {
        std::vector<Stored> chunk(std::min<std::size_t>(count, 65536));
        for (std::size_t done = 0; done < count; done += chunk.size()) {
            chunk.resize(std::min<std::size_t>(chunk.size(), count - done));
            source.read(chunk.data(), chunk.size() * sizeof(Stored));
            std::transform(chunk.begin(), chunk.end(), values.begin() + static_cast<std::ptrdiff_t>(done), convert);
        }
    }
    return values;
}

}  // namespace

HostTensor decode_tensor(const onnx::TensorProto& tensor, const std::string& what, const std::string& folder) {
    if (tensor.has_segment()) throw Error(what + ": tensors stored in segments are not supported");
    Shape shape(tensor.dims().begin(), tensor.dims().end());
    std::uint64_t count = 0;
    try {
        count = static_cast<std::uint64_t>(elements(shape));
    } catch (const Error& error) {
        throw Error(what + ": " + error.what());
    }

    const auto read = [&]<typename Stored>(Stored, const auto& field, auto convert) {
        return HostTensor::of(shape, decode_values<Stored>(tensor, field, count, what, folder, convert));
    };
    const auto real = [](auto value) { return static_cast<float>(value); };
    const auto integer = [](auto value) { return static_cast<std::int64_t>(value); };
    using Proto = onnx::TensorProto;
    switch (tensor.data_type()) {
        case Proto::FLOAT:
            return read(float{}, tensor.float_data(), real);
        case Proto::DOUBLE:
            return read(double{}, tensor.double_data(), real);
        case Proto::FLOAT16:
            return read(std::uint16_t{}, tensor.int32_data(), half_to_float);
        case Proto::BFLOAT16:
            return read(std::uint16_t{}, tensor.int32_data(), bfloat_to_float);
        case Proto::INT64:
            return read(std::int64_t{}, tensor.int64_data(), integer);
        case Proto::INT32:
            return read(std::int32_t{}, tensor.int32_data(), integer);
        case Proto::INT16:
            return read(std::int16_t{}, tensor.int32_data(), integer);
        case Proto::INT8:
            return read(std::int8_t{}, tensor.int32_data(), integer);
        case Proto::UINT64:
            return read(std::uint64_t{}, tensor.uint64_data(), integer);
        case Proto::UINT32:
            return read(std::uint32_t{}, tensor.uint64_data(), integer);
        case Proto::UINT16:
            return read(std::uint16_t{}, tensor.int32_data(), integer);
        case Proto::UINT8:
            return read(std::uint8_t{}, tensor.int32_data(), integer);
        case Proto::BOOL:
            return read(std::uint8_t{}, tensor.int32_data(), [](auto value) { return std::int64_t{value != 0}; });
        default:
            break;
    }
    const bool named = Proto::DataType_IsValid(tensor.data_type());
    throw Error(what + ": values of type " +
                (named ? Proto::DataType_Name(static_cast<Proto::DataType>(tensor.data_type()))
                       : std::to_string(tensor.data_type())) +
                " are not supported");
}

HostTensor take_tensor(onnx::TensorProto& tensor, const std::string& what, const std::string& folder) {
    HostTensor result = decode_tensor(tensor, what, folder);
    onnx::TensorProto emptied;
    emptied.set_name(tensor.name());
    emptied.set_data_type(tensor.data_type());
    emptied.add_dims(0);
    tensor.Swap(&emptied);
    return result;
}

}  // namespace deconv::nn
