// Which device: the list, the choice, and what it says of itself.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>

#include "vk/vk_testing.h"

namespace deconv::testing {
namespace {

std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

gpu::DeviceOptions choosing(const std::string& choice) {
    gpu::DeviceOptions options;
    options.choice = choice;
    return options;
}

/// While it lives, the loader finds no driver.
class NoDrivers {
  public:
    NoDrivers() {
        for (const char* name : {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"}) {
            const char* value = std::getenv(name);
            before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
            ::setenv(name, "/nonexistent/driver.json", 1);
        }
    }
    ~NoDrivers() {
        for (const auto& [name, value] : before_) {
            if (value) {
                ::setenv(name.c_str(), value->c_str(), 1);
            } else {
                ::unsetenv(name.c_str());
            }
        }
    }
    NoDrivers(const NoDrivers&) = delete;
    NoDrivers& operator=(const NoDrivers&) = delete;

  private:
    std::map<std::string, std::optional<std::string>> before_;
};

TEST(Devices, AreListedBestFirst) {
    const std::vector<gpu::DeviceInfo> devices = gpu::list_devices();
    ASSERT_FALSE(devices.empty());
    for (std::size_t i = 0; i < devices.size(); ++i) {
        EXPECT_EQ(devices[i].index, static_cast<int>(i));
        EXPECT_FALSE(devices[i].name.empty());
        EXPECT_FALSE(devices[i].key.empty());
        EXPECT_EQ(devices[i].key.find('/'), std::string::npos);  // it becomes a file's name
        EXPECT_GE(devices[i].subgroup_size, 1U);
        EXPECT_GT(devices[i].memory, 0U);
        EXPECT_STRNE(gpu::to_string(devices[i].type), "");
        if (i > 0) {
            EXPECT_LE(devices[i - 1].type, devices[i].type);
        }
    }
}

TEST(Devices, OfferAtLeastTheGuaranteedMinimum) {
    const gpu::Limits minimum = gpu::Limits::minimum();
    for (const gpu::DeviceInfo& device : gpu::list_devices()) {
        EXPECT_GE(device.limits.workgroup_invocations, minimum.workgroup_invocations);
        EXPECT_GE(device.limits.shared_memory, minimum.shared_memory);
        EXPECT_GE(device.limits.storage_buffers, minimum.storage_buffers);
        EXPECT_GE(device.limits.push_constants, minimum.push_constants);
        EXPECT_GE(device.limits.storage_range, minimum.storage_range);
        EXPECT_LE(device.limits.storage_alignment, minimum.storage_alignment);
        EXPECT_GE(device.limits.texel_elements, minimum.texel_elements);
        EXPECT_GE(device.limits.allocation, minimum.allocation);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            EXPECT_GE(device.limits.workgroup_size.at(axis), minimum.workgroup_size.at(axis));
            EXPECT_GE(device.limits.workgroup_count.at(axis), minimum.workgroup_count.at(axis));
        }
    }
}

TEST(Devices, AreChosenByIndexAndByPartOfTheName) {
    const gpu::DeviceInfo first = gpu::list_devices().at(0);
    EXPECT_EQ(gpu::Device(choosing("")).info().name, first.name);
    EXPECT_EQ(gpu::Device(choosing("0")).info().name, first.name);
    EXPECT_EQ(gpu::Device(choosing(first.name)).info().name, first.name);
    EXPECT_EQ(gpu::Device(choosing(upper(first.name.substr(2, 5)))).info().name, first.name);
    EXPECT_EQ(gpu::Device(choosing(first.driver)).info().name, first.name);
}

TEST(Devices, ThatAreNotThereAreRefusedNamingThoseThatAre) {
    const std::vector<gpu::DeviceInfo> devices = gpu::list_devices();
    for (const std::string& choice :
         {std::to_string(devices.size()), std::string("99999999999"), std::string("abacus")}) {
        const std::string said = error_of([&] { const gpu::Device device(choosing(choice)); });
        EXPECT_HAS(said, choice);
        for (const gpu::DeviceInfo& device : devices) EXPECT_HAS(said, device.name);
    }
}

TEST(Devices, WithoutADriverThereAreNone) {
    const NoDrivers none;
    EXPECT_TRUE(gpu::list_devices().empty());
    EXPECT_HAS(error_of([] { const gpu::Device device; }), "no Vulkan");
}

TEST(Devices, PretendTheMinimum) {
    gpu::DeviceOptions options;
    const gpu::Device real(options);
    options.minimum_limits = true;
    const gpu::Device device(options);
    const gpu::Limits minimum = gpu::Limits::minimum();
    EXPECT_EQ(device.limits().workgroup_invocations, 128U);
    EXPECT_EQ(device.limits().shared_memory, 16384U);
    EXPECT_EQ(device.limits().storage_buffers, 4U);
    EXPECT_EQ(device.limits().push_constants, 128U);
    EXPECT_EQ(device.limits().storage_range, std::uint64_t{1} << 27U);
    EXPECT_EQ(device.limits().texel_elements, 65536U);
    EXPECT_GE(device.limits().storage_alignment, minimum.storage_alignment);
    EXPECT_FALSE(device.info().half_precision);
    EXPECT_FALSE(device.info().cooperative_matrix);
    EXPECT_FALSE(device.info().subgroup_broadcast);
    EXPECT_EQ(device.info().name, real.info().name);
}

TEST(Devices, MemoryOfAnImpossibleKindIsRefused) {
    EXPECT_HAS(error_of([] { engine().device.memory_type(0, vk::MemoryPropertyFlagBits::eDeviceLocal, {}); }),
               engine().device.info().name);
}

TEST(Devices, ValidationSpeaksWhereSomethingIsWrong) {
    // The gate that all other tests rely on: a size of nothing is not valid.
    gpu::DeviceOptions options;
    options.validation = true;
    const gpu::Device device(options);
    EXPECT_TRUE(device.take_validation_messages().empty());
    device.run_once([&](vk::CommandBuffer commands) { commands.setScissor(0, nullptr); });
    EXPECT_FALSE(device.take_validation_messages().empty());
    EXPECT_TRUE(device.take_validation_messages().empty());  // taken
}

}  // namespace
}  // namespace deconv::testing
