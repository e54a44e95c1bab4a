// Pipelines and their cache on disk.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "vk/shaders.h"
#include "vk/vk_testing.h"

namespace deconv::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<vk::DescriptorType> one_buffer = {vk::DescriptorType::eStorageBuffer};

/// The pipeline of bench/fill, for workgroups of `size`.
const gpu::Pipeline& fill_pipeline(gpu::Pipelines& pipelines, std::uint32_t size = 16) {
    return pipelines.get("bench/fill", {size}, one_buffer, 8);
}

class Cache : public ::testing::Test {
  protected:
    Cache() {
        std::string name = (fs::temp_directory_path() / "deconv-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw Error("no temporary folder");
        folder_ = name;
        file_ = folder_ / ("pipelines-" + engine().device.info().key + ".bin");
    }
    ~Cache() override {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    /// A program that makes two pipelines and ends.
    void use() {
        gpu::Pipelines pipelines(engine().device, folder_);
        EXPECT_TRUE(fill_pipeline(pipelines).handle);
        EXPECT_TRUE(fill_pipeline(pipelines, 32).handle);
        EXPECT_EQ(pipelines.count(), 2U);
    }
    std::vector<char> content() const {
        std::ifstream stream(file_, std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    void replace(const std::vector<char>& data) const {
        std::ofstream(file_, std::ios::binary).write(data.data(), static_cast<std::streamsize>(data.size()));
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
    }

    fs::path folder_, file_;
};

TEST_F(Cache, IsWrittenByDeviceAndReadAgain) {
    use();
    ASSERT_TRUE(fs::exists(file_));
    EXPECT_EQ(files(), 1U);  // no half-written file beside it
    const std::vector<char> first = content();
    EXPECT_GE(first.size(), sizeof(VkPipelineCacheHeaderVersionOne));
    use();
    EXPECT_GE(content().size(), first.size());
    EXPECT_EQ(files(), 1U);
}

TEST_F(Cache, AFolderIsMadeWhereThereIsNone) {
    folder_ /= "a/b";
    file_ = folder_ / file_.filename();
    use();
    EXPECT_TRUE(fs::exists(file_));
    folder_ = folder_.parent_path().parent_path();
}

TEST_F(Cache, DamageAndForeignFilesAreSurvived) {
    use();
    const std::vector<char> good = content();
    std::vector<char> cut = good;
    cut.resize(10);
    std::vector<char> foreign = good;
    for (std::size_t i = 8; i < sizeof(VkPipelineCacheHeaderVersionOne); ++i) foreign[i] ^= 0x5a;
    std::vector<char> version = good;
    version[4] = 99;
    std::vector<char> damaged = good;
    for (std::size_t i = sizeof(VkPipelineCacheHeaderVersionOne); i < damaged.size(); ++i) damaged[i] ^= 0x33;
    for (const std::vector<char>& data : {std::vector<char>{}, cut, foreign, version, damaged}) {
        replace(data);
        use();
    }
    // What does not belong to this device was replaced by what does.
    replace(foreign);
    use();
    ASSERT_GE(content().size(), sizeof(VkPipelineCacheHeaderVersionOne));
    EXPECT_TRUE(std::equal(good.begin(), good.begin() + sizeof(VkPipelineCacheHeaderVersionOne), content().begin()));
}

TEST_F(Cache, APlaceThatCannotBeWrittenIsNoFailure) {
    fs::create_directory(file_);
    use();
    folder_ = "/proc/no/such/folder";
    use();
    folder_ = file_.parent_path();
}

TEST_F(Cache, NoFolderMeansNoFile) {
    {
        gpu::Pipelines pipelines(engine().device, {});
        fill_pipeline(pipelines);
    }
    EXPECT_EQ(files(), 0U);
}

TEST(CacheFolder, FollowsTheEnvironment) {
    const auto saved = [](const char* name) {
        const char* value = std::getenv(name);
        return value == nullptr ? std::string() : std::string(value);
    };
    const std::string cache = saved("XDG_CACHE_HOME");
    const std::string home = saved("HOME");
    ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
    EXPECT_EQ(gpu::cache_folder(), "/somewhere/deconv-live");
    ::setenv("XDG_CACHE_HOME", "relative", 1);
    ::setenv("HOME", "/home/someone", 1);
    EXPECT_EQ(gpu::cache_folder(), "/home/someone/.cache/deconv-live");
    ::unsetenv("XDG_CACHE_HOME");
    ::unsetenv("HOME");
    EXPECT_EQ(gpu::cache_folder(), "");
    if (!cache.empty()) ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
    if (!home.empty()) ::setenv("HOME", home.c_str(), 1);
}

TEST(Pipelines, AreMadeOnceEach) {
    gpu::Pipelines pipelines(engine().device, {});
    EXPECT_EQ(pipelines.count(), 0U);
    const gpu::Pipeline& first = fill_pipeline(pipelines);
    EXPECT_EQ(&fill_pipeline(pipelines), &first);
    EXPECT_EQ(pipelines.count(), 1U);
    EXPECT_NE(fill_pipeline(pipelines, 64).handle, first.handle);
    EXPECT_EQ(pipelines.count(), 2U);
}

TEST(Pipelines, SeveralThreadsMayAskAtOnce) {
    gpu::Pipelines pipelines(engine().device, {});
    std::vector<vk::Pipeline> handles(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < handles.size(); ++i) {
        threads.emplace_back([&, i] { handles[i] = fill_pipeline(pipelines, i % 2 == 0 ? 16 : 32).handle; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(pipelines.count(), 2U);
    for (std::size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(handles[i], handles[i % 2]);
}

TEST(Pipelines, AnUnknownShaderIsNamed) {
    EXPECT_HAS(error_of([] { engine().pipelines.get("nn/none", {}, one_buffer, 0); }), "nn/none");
}

TEST(Shaders, AreSpirvWithNamesOfTheirOwn) {
    std::set<std::string_view> names;
    ASSERT_FALSE(gpu::embedded_shaders().empty());
    for (const gpu::EmbeddedShader& shader : gpu::embedded_shaders()) {
        EXPECT_TRUE(names.insert(shader.name).second) << shader.name;
        ASSERT_GT(shader.code.size(), 5U) << shader.name;
        EXPECT_EQ(shader.code[0], 0x07230203U) << shader.name;
    }
}

}  // namespace
}  // namespace deconv::testing
