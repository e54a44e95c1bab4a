// Reading ONNX into the reference's own structures.
#include <climits>
#include <cmath>
#include <cstring>
#include <fstream>
#include <stdexcept>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>
#pragma GCC diagnostic pop

#include "reference/network.h"

namespace deconv::reference {

namespace {

double half_to_double(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    double value = 0;
    if (exponent == 31)
        value = fraction != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        value = std::ldexp(fraction, -24);
    else
        value = std::ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
}

double brain_float_to_double(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value = 0;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

/// Elements stored as raw little-endian bytes of type Stored.
template <typename Stored, typename Convert>
void read_raw(const std::string& raw, std::vector<double>& out, Convert convert) {
    out.resize(raw.size() / sizeof(Stored));
    for (std::size_t i = 0; i < out.size(); ++i) {
        Stored value{};
        std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
        out[i] = convert(value);
    }
}

template <typename Field>
std::vector<double> doubles(const Field& field) {
    return {field.begin(), field.end()};
}

std::vector<double> read_elements(const onnx::TensorProto& proto) {
    const auto plain = [](auto v) { return static_cast<double>(v); };
    const bool raw = proto.has_raw_data();
    const std::string& bytes = proto.raw_data();
    std::vector<double> out;
    const auto from = [&]<typename Stored>(Stored, const auto& field) {
        if (!raw) return doubles(field);
        read_raw<Stored>(bytes, out, plain);
        return out;
    };
    using Types = onnx::TensorProto;
    switch (proto.data_type()) {
        case Types::FLOAT:
            return from(float{}, proto.float_data());
        case Types::DOUBLE:
            return from(double{}, proto.double_data());
        case Types::INT64:
            return from(std::int64_t{}, proto.int64_data());
        case Types::INT32:
            return from(std::int32_t{}, proto.int32_data());
        case Types::INT16:
            return from(std::int16_t{}, proto.int32_data());
        case Types::INT8:
            return from(std::int8_t{}, proto.int32_data());
        case Types::UINT8:
        case Types::BOOL:
            return from(std::uint8_t{}, proto.int32_data());
        case Types::UINT16:
            return from(std::uint16_t{}, proto.int32_data());
        case Types::UINT32:
            return from(std::uint32_t{}, proto.uint64_data());
        case Types::UINT64:
            return from(std::uint64_t{}, proto.uint64_data());
        case Types::FLOAT16:
        case Types::BFLOAT16: {
            const auto convert = proto.data_type() == Types::FLOAT16 ? half_to_double : brain_float_to_double;
            if (raw) {
                read_raw<std::uint16_t>(bytes, out, convert);
            } else {
                for (const auto bits : proto.int32_data()) out.push_back(convert(static_cast<std::uint16_t>(bits)));
            }
            return out;
        }
        default:
            throw std::runtime_error("tensor " + proto.name() + " is not numeric");
    }
}

Attributes read_attributes(const onnx::NodeProto& proto) {
    Attributes attributes;
    for (const auto& a : proto.attribute()) {
        switch (a.type()) {
            case onnx::AttributeProto::INT:
                attributes.integers[a.name()] = a.i();
                break;
            case onnx::AttributeProto::FLOAT:
                attributes.reals[a.name()] = a.f();
                break;
            case onnx::AttributeProto::STRING:
                attributes.texts[a.name()] = a.s();
                break;
            case onnx::AttributeProto::INTS:
                attributes.integer_lists[a.name()] = {a.ints().begin(), a.ints().end()};
                break;
            case onnx::AttributeProto::FLOATS:
                attributes.real_lists[a.name()] = doubles(a.floats());
                break;
            case onnx::AttributeProto::TENSOR:
                attributes.tensors[a.name()] = to_tensor(a.t());
                break;
            default:
                break;  // no operator here has others
        }
    }
    return attributes;
}

template <typename Map>
auto find_or(const Map& map, const std::string& name, typename Map::mapped_type fallback) {
    const auto found = map.find(name);
    return found == map.end() ? fallback : found->second;
}

}  // namespace

std::int64_t Attributes::integer(const std::string& name, std::int64_t fallback) const {
    return find_or(integers, name, fallback);
}

double Attributes::real(const std::string& name, double fallback) const {
    return find_or(reals, name, fallback);
}

std::string Attributes::text(const std::string& name, const std::string& fallback) const {
    return find_or(texts, name, fallback);
}

std::vector<std::int64_t> Attributes::list(const std::string& name, const std::vector<std::int64_t>& fallback) const {
    return find_or(integer_lists, name, fallback);
}

Tensor to_tensor(const onnx::TensorProto& proto) {
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
        throw std::runtime_error("tensor " + proto.name() + " lies in another file");
    }
    using Types = onnx::TensorProto;
    const auto type = proto.data_type();
    Tensor t;
    t.shape = {proto.dims().begin(), proto.dims().end()};
    t.data = read_elements(proto);
    t.integer = type != Types::FLOAT && type != Types::DOUBLE && type != Types::FLOAT16 && type != Types::BFLOAT16;
    if (t.size() != elements(t.shape)) {
        throw std::runtime_error("tensor " + proto.name() + " holds " + std::to_string(t.size()) + " elements, not " +
                                 to_string(t.shape));
    }
    return t;
}

Network Network::load(const std::string& onnx_path) {
    std::ifstream file(onnx_path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot open " + onnx_path);
    onnx::ModelProto model;
    google::protobuf::io::IstreamInputStream stream(&file);
    google::protobuf::io::CodedInputStream coded(&stream);
    coded.SetTotalBytesLimit(INT_MAX);
    if (!model.ParseFromCodedStream(&coded)) throw std::runtime_error(onnx_path + " is no ONNX file");
    return parse(model);
}

Network Network::parse(const onnx::ModelProto& model) {
    Network network;
    for (const auto& set : model.opset_import()) {
        if (set.domain().empty() || set.domain() == "ai.onnx") network.opset_ = static_cast<int>(set.version());
    }
    for (const auto& tensor : model.graph().initializer()) network.constants_[tensor.name()] = to_tensor(tensor);
    for (const auto& input : model.graph().input()) {
        if (network.constants_.count(input.name()) != 0) continue;
        Shape shape;
        for (const auto& d : input.type().tensor_type().shape().dim()) {
            shape.push_back(d.has_dim_value() ? d.dim_value() : -1);
        }
        network.inputs_.emplace_back(input.name(), shape);
    }
    for (const auto& output : model.graph().output()) network.outputs_.push_back(output.name());
    for (const auto& proto : model.graph().node()) {
        network.nodes_.push_back({proto.name().empty() ? proto.output(0) : proto.name(),
                                  proto.op_type(),
                                  {proto.input().begin(), proto.input().end()},
                                  {proto.output().begin(), proto.output().end()},
                                  read_attributes(proto)});
    }
    return network;
}

}  // namespace deconv::reference
