#include "live/preferences.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "live/choices.h"
#include "media/media_testing.h"

namespace deconv::live {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::TempDir;
using testing::write_text;

std::string text_of(const std::string& path) {
    const testing::FileBytes bytes = testing::read_file(path);
    return {bytes.begin(), bytes.end()};
}

Json json_of(const std::string& path) {
    return Json::parse(text_of(path));
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777U;
}

/// An environment variable for as long as this lives; null takes it away.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        set(value);
    }
    ~Variable() { set(before_ ? before_->c_str() : nullptr); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

  private:
    void set(const char* value) const {
        if (value != nullptr) {
            ::setenv(name_, value, 1);
        } else {
            ::unsetenv(name_);
        }
    }
    const char* name_;
    std::optional<std::string> before_;
};

/// Nothing here is as it is by default.
Preferences unlike_the_defaults() {
    Preferences p;
    p.view = "layer";
    p.panel = false;
    p.mirror = true;
    p.full_screen = true;
    p.width = 1921;
    p.height = 481;
    p.opacity = 0.3F;
    p.blend = "mix";
    p.rule = "guided";
    p.lrn = "derivative";
    p.precision = "half";
    p.display = "norm";
    p.fit = "letterbox";
    p.blur = 1.25;
    p.gain = 1.5625F;
    p.gamma = 0.7F;
    p.record = "projection";
    p.model = "/netz werke/größer \"7\".onnx";
    return p;
}

TEST(PreferencesPath, FollowsXdgThenHomeThenNothing) {
    const Variable home("HOME", "/home/ada");
    {
        const Variable config("XDG_CONFIG_HOME", "/conf");
        EXPECT_EQ(preferences_path(), "/conf/deconv-live/settings.json");
    }
    for (const char* useless : {static_cast<const char*>(nullptr), "", "relative/conf"}) {
        const Variable config("XDG_CONFIG_HOME", useless);
        EXPECT_EQ(preferences_path(), "/home/ada/.config/deconv-live/settings.json");
        for (const char* none : {static_cast<const char*>(nullptr), ""}) {
            const Variable homeless("HOME", none);
            EXPECT_EQ(preferences_path(), "");
        }
    }
}

TEST(Preferences, WithoutAHomeNothingIsSavedAndNothingIsWrong) {
    const Variable home("HOME", nullptr);
    const Variable config("XDG_CONFIG_HOME", nullptr);
    EXPECT_EQ(save_preferences(preferences_path(), unlike_the_defaults()), "");
    std::string message = "of before";
    EXPECT_EQ(load_preferences(preferences_path(), message), Preferences());
    EXPECT_EQ(message, "");
}

TEST(Preferences, WhatWasSavedIsLoaded) {
    const TempDir dir;
    const Variable config("XDG_CONFIG_HOME", (dir / "conf").c_str());
    std::string message = "of before";
    EXPECT_EQ(load_preferences(preferences_path(), message), Preferences());
    EXPECT_EQ(message, "");
    EXPECT_EQ(dir.files(), 0U) << "loading makes nothing";

    for (const Preferences& preferences : {unlike_the_defaults(), Preferences()}) {
        ASSERT_EQ(save_preferences(preferences_path(), preferences), "");
        EXPECT_EQ(load_preferences(preferences_path(), message), preferences);
        EXPECT_EQ(message, "");
    }
    EXPECT_EQ(mode_of(dir / "conf"), 0700U);
    EXPECT_EQ(mode_of(dir / "conf/deconv-live"), 0700U);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / "conf/deconv-live"), fs::directory_iterator()), 1)
        << "no temporary file is left";
}

TEST(Preferences, TheFileIsForPeopleToo) {
    const TempDir dir;
    ASSERT_EQ(save_preferences(dir / "s.json", Preferences()), "");
    const std::string text = text_of(dir / "s.json");
    EXPECT_CONTAINS(text, "\n    \"opacity\": 0.85,\n");
    EXPECT_CONTAINS(text, "\"view\": \"side by side\"");
    EXPECT_EQ(text.back(), '\n');
}

TEST(Preferences, EveryFloatComesBackExactly) {
    const TempDir dir;
    std::string message;
    Preferences awkward;
    for (int i = 0; i < 70; ++i) {
        awkward.gain = std::nextafter(0.1F * std::pow(1.068F, static_cast<float>(i)), 11.0F);
        ASSERT_EQ(save_preferences(dir / "s.json", awkward), "");
        ASSERT_EQ(load_preferences(dir / "s.json", message), awkward);
        ASSERT_EQ(message, "");
    }
    // The ends of the ranges are within them.
    for (const auto& [gain, gamma, opacity] : {std::tuple(0.1F, 0.3F, 0.0F), {10.0F, 3.0F, 1.0F}}) {
        Preferences preferences;
        preferences.gain = gain;
        preferences.gamma = gamma;
        preferences.opacity = opacity;
        ASSERT_EQ(save_preferences(dir / "s.json", preferences), "");
        EXPECT_EQ(load_preferences(dir / "s.json", message), preferences);
        EXPECT_EQ(message, "");
    }
}

TEST(Preferences, KnowTheWordsOfTheCommandLine) {
    const TempDir dir;
    std::string message;
    const auto round_trip = [&](const Preferences& preferences) {
        ASSERT_EQ(save_preferences(dir / "s.json", preferences), "");
        EXPECT_EQ(load_preferences(dir / "s.json", message), preferences);
        EXPECT_EQ(message, "");
    };
    Preferences p;
    for (const auto& choice : rule_choices()) round_trip((p.rule = choice.first, p));
    for (const auto& choice : lrn_choices()) round_trip((p.lrn = choice.first, p));
    for (const auto& choice : precision_choices()) round_trip((p.precision = choice.first, p));
    for (const auto& choice : display_choices()) round_trip((p.display = choice.first, p));
    for (const auto& choice : fit_choices()) round_trip((p.fit = choice.first, p));
    for (const std::string& name : view_names()) round_trip((p.view = name, p));
    for (const std::string& name : blend_names()) round_trip((p.blend = name, p));
    for (const std::string& name : record_names()) round_trip((p.record = name, p));
    const Preferences defaults;
    EXPECT_EQ(defaults.rule, name_of(rule_choices(), Options().rule));
    EXPECT_EQ(defaults.lrn, name_of(lrn_choices(), Options().lrn));
    EXPECT_EQ(defaults.precision, name_of(precision_choices(), Options().precision));
    EXPECT_EQ(defaults.display, name_of(display_choices(), Options().display));
    EXPECT_EQ(defaults.fit, name_of(fit_choices(), Options().fit));
}

TEST(Preferences, KeysThatAreMissingAreTheDefaults) {
    const TempDir dir;
    write_text(dir / "s.json", R"({"mirror": true, "gain": 2})");
    std::string message;
    Preferences expected;
    expected.mirror = true;
    expected.gain = 2;
    EXPECT_EQ(load_preferences(dir / "s.json", message), expected);
    EXPECT_EQ(message, "");
}

TEST(Preferences, KeysOfALaterVersionSurviveASave) {
    const TempDir dir;
    const std::string path = dir / "s.json";
    write_text(path,
               R"({"gain": 2, "theme": "dark", "later": {"a": [1, 2.5, null, "ü"], "big": 18446744073709551615}})");
    std::string message;
    Preferences preferences = load_preferences(path, message);
    EXPECT_EQ(message, "");
    preferences.gain = 3;
    ASSERT_EQ(save_preferences(path, preferences), "");
    const Json json = json_of(path);
    EXPECT_EQ(json.at("theme"), "dark");
    EXPECT_EQ(json.at("later"), Json::parse(R"({"a": [1, 2.5, null, "ü"], "big": 18446744073709551615})"));
    EXPECT_EQ(json.at("gain"), 3);
    EXPECT_EQ(load_preferences(path, message), preferences);
}

TEST(Preferences, ABrokenFileIsSetAsideAndNamed) {
    const std::string deep(100'000, '[');
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "is not JSON (line 1)"},
        {"{\"gain\": 2,\n\"mirror\": tru\n}", "is not JSON (line 2)"},
        {"{\"gain\": 2", "is not JSON"},
        {"{\"model\": \"\xff\xfe\"}", "is not JSON"},
        {std::string("\0\0\0\0", 4), "is not JSON"},
        {"{\"gain\": 1e999}", "is not JSON"},
        {deep, "is nested too deeply"},
        {"{\"later\": " + deep + std::string(100'000, ']') + "}", "is nested too deeply"},
        {std::string((1 << 20) + 1, ' '), "is larger than settings can be"},
        {"[1, 2]", "is not a JSON object"},
        {"null", "is not a JSON object"},
        {R"({"opacity": "high"})", "\"opacity\" must be a number from 0 to 1"},
        {R"({"opacity": 1.01})", "\"opacity\" must be a number from 0 to 1"},
        {R"({"opacity": null})", "\"opacity\" must be a number from 0 to 1"},
        {R"({"gain": 0})", "\"gain\" must be a number from 0.1 to 10"},
        {R"({"gain": 1e300})", "\"gain\" must be a number from 0.1 to 10"},
        {R"({"gamma": -1})", "\"gamma\" must be a number from 0.3 to 3"},
        {R"({"blur": 101})", "\"blur\" must be a number from 0 to 100"},
        {R"({"width": 0})", "\"width\" must be a whole number from 64 to 16384"},
        {R"({"width": 1280.5})", "\"width\" must be a whole number from 64 to 16384"},
        {R"({"height": 18446744073709551615})", "\"height\" must be a whole number from 64 to 16384"},
        {R"({"height": 4294967996})", "\"height\" must be a whole number from 64 to 16384"},
        {R"({"mirror": 1})", "\"mirror\" must be true or false"},
        {R"({"panel": "yes"})", "\"panel\" must be true or false"},
        {R"({"full_screen": []})", "\"full_screen\" must be true or false"},
        {R"({"rule": "decnv"})", "\"rule\" must be deconv, guided or gradient"},
        {R"({"rule": 3})", "\"rule\" must be deconv, guided or gradient"},
        {R"({"lrn": ""})", "\"lrn\" must be identity or derivative"},
        {R"({"display": "Signed"})", "\"display\" must be signed, positive, norm or range"},
        {R"({"fit": "fill"})", "\"fit\" must be crop, stretch or letterbox"},
        {R"({"view": "upside down"})",
         "\"view\" must be side by side, overlay, layer, mosaic, ladder, network or compare"},
        {R"({"blend": "x"})", "\"blend\" must be "},
        {R"({"record": "x"})", "\"record\" must be "},
        {R"({"model": 7})", "\"model\" must be a text"},
    };
    for (const auto& [text, fault] : cases) {
        SCOPED_TRACE(text.substr(0, 60));
        const TempDir dir;
        const std::string path = dir / "settings.json";
        write_text(path, text);
        std::string message;
        EXPECT_EQ(load_preferences(path, message), Preferences());
        EXPECT_CONTAINS(message, path + ": " + fault);
        EXPECT_CONTAINS(message, "kept as settings.json.broken, and the defaults are used");
        EXPECT_EQ(message.find('\n'), std::string::npos);
        EXPECT_FALSE(fs::exists(path));
        EXPECT_EQ(text_of(path + ".broken"), text) << "nothing of it is lost";
        // From here on all is well again.
        EXPECT_EQ(load_preferences(path, message), Preferences());
        EXPECT_EQ(message, "");
        EXPECT_EQ(save_preferences(path, unlike_the_defaults()), "");
        EXPECT_EQ(load_preferences(path, message), unlike_the_defaults());
    }
}

TEST(Preferences, EarlierBrokenFilesStay) {
    const TempDir dir;
    const std::string path = dir / "settings.json";
    for (int i = 0; i < 12; ++i) {
        write_text(path, "broken " + std::to_string(i));
        std::string message;
        load_preferences(path, message);
        EXPECT_CONTAINS(message, i == 0 ? "settings.json.broken," : "settings.json.broken." + std::to_string(i) + ",");
    }
    EXPECT_EQ(dir.files(), 12U);
    EXPECT_EQ(text_of(path + ".broken"), "broken 0");
    for (int i = 1; i < 12; ++i) {
        EXPECT_EQ(text_of(path + ".broken." + std::to_string(i)), "broken " + std::to_string(i));
    }
}

TEST(Preferences, AFileThatBreaksWhileTheProgramRunsIsSetAsideBySaving) {
    const TempDir dir;
    const std::string path = dir / "settings.json";
    write_text(path, "{\"theme\": \"dark\"");
    EXPECT_EQ(save_preferences(path, unlike_the_defaults()), "");
    std::string message;
    EXPECT_EQ(load_preferences(path, message), unlike_the_defaults());
    EXPECT_EQ(text_of(path + ".broken"), "{\"theme\": \"dark\"");
}

TEST(Preferences, ValuesThatCannotBeAreNotSaved) {
    const TempDir dir;
    const std::string path = dir / "settings.json";
    ASSERT_EQ(save_preferences(path, unlike_the_defaults()), "");
    Preferences preferences = unlike_the_defaults();
    preferences.width = 0;  // a window that was minimised
    preferences.gain = std::nanf("");
    preferences.gamma = std::numeric_limits<float>::infinity();
    preferences.rule = "";
    preferences.model = "/n\xe4he.onnx";  // a path that is not UTF-8
    EXPECT_EQ(save_preferences(path, preferences), "");
    for (const char* key : {"width", "gain", "gamma", "rule", "model"})
        EXPECT_FALSE(json_of(path).contains(key)) << key;

    std::string message;
    const Preferences defaults;
    preferences.width = defaults.width;
    preferences.gain = defaults.gain;
    preferences.gamma = defaults.gamma;
    preferences.rule = defaults.rule;
    preferences.model = defaults.model;
    EXPECT_EQ(load_preferences(path, message), preferences);
    EXPECT_EQ(message, "");
}

TEST(Preferences, APlaceThatCannotBeWrittenIsAMessage) {
    const TempDir dir;
    write_text(dir / "file", "");
    for (const std::string& path : {std::string("/proc/deconv-live/settings.json"), dir / "file/deconv-live/s.json",
                                    dir.path(), std::string("/dev/null")}) {
        const std::string message = save_preferences(path, Preferences());
        EXPECT_NE(message, "") << path;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    std::string message;
    EXPECT_EQ(load_preferences(dir.path(), message), Preferences());
    EXPECT_EQ(message, dir.path() + ": is not a file; the defaults are used");
    EXPECT_EQ(load_preferences(dir / "file/deconv-live/s.json", message), Preferences());
    EXPECT_EQ(message, "");
    EXPECT_EQ(dir.files(), 1U);
}

/// As somebody who is not root, for as long as this lives.
class Unprivileged {
  public:
    Unprivileged() : root_(::geteuid() == 0), able_(!root_ || ::seteuid(65534) == 0) {}
    ~Unprivileged() {
        if (root_ && able_ && ::seteuid(0) != 0) std::abort();
    }
    Unprivileged(const Unprivileged&) = delete;
    Unprivileged& operator=(const Unprivileged&) = delete;
    bool able() const { return able_; }

  private:
    bool root_, able_;
};

TEST(Preferences, AReadOnlyFolderIsAMessageAndNothingChanges) {
    const TempDir dir;
    const std::string path = dir / "settings.json";
    ASSERT_EQ(save_preferences(path, unlike_the_defaults()), "");
    write_text(dir / "bad.json", "[");
    write_text(dir / "secret.json", "{}");
    ASSERT_EQ(::chmod((dir / "secret.json").c_str(), 0), 0);
    ASSERT_EQ(::chmod(dir.path().c_str(), 0555), 0);
    {
        const Unprivileged somebody;
        if (!somebody.able()) GTEST_SKIP() << "NOT TESTED: root may write everything";
        EXPECT_CONTAINS(save_preferences(path, Preferences()), path + ": cannot be written: Permission denied");
        EXPECT_CONTAINS(save_preferences(dir / "new/settings.json", Preferences()),
                        dir / "new" + ": cannot be made: Permission denied");
        EXPECT_CONTAINS(save_preferences(dir / "bad.json", Preferences()), "cannot be set aside: Permission denied");
        std::string message;
        EXPECT_EQ(load_preferences(path, message), unlike_the_defaults());
        EXPECT_EQ(message, "");
        EXPECT_EQ(load_preferences(dir / "bad.json", message), Preferences());
        EXPECT_EQ(message, dir / "bad.json" +
                               ": is not JSON (line 1); the defaults are used (it cannot be set aside: Permission "
                               "denied)");
        EXPECT_EQ(load_preferences(dir / "secret.json", message), Preferences());
        EXPECT_EQ(message, dir / "secret.json" + ": cannot be read; check its permissions; the defaults are used");
    }
    ASSERT_EQ(::chmod(dir.path().c_str(), 0700), 0);
    EXPECT_EQ(dir.files(), 3U);
    EXPECT_EQ(text_of(dir / "bad.json"), "[");
}

TEST(Preferences, SavesAtOnceLeaveAWholeFile) {
    const TempDir dir;
    const std::string path = dir / "conf/deconv-live/settings.json";
    const auto numbered = [](int i) {
        Preferences preferences = unlike_the_defaults();
        preferences.width = 1000 + i;
        preferences.model = std::string(static_cast<std::size_t>(1 + i * 500), static_cast<char>('a' + i));
        return preferences;
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 50; ++round) {
                EXPECT_EQ(save_preferences(path, numbered(i)), "");
                std::string message;
                const Preferences seen = load_preferences(path, message);
                EXPECT_EQ(message, "");
                EXPECT_EQ(seen, numbered(seen.width - 1000)) << "a mixture";
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / "conf/deconv-live"), fs::directory_iterator()), 1);
}

TEST(Preferences, LoadsAtOnceSetABrokenFileAsideOnce) {
    for (int round = 0; round < 20; ++round) {
        const TempDir dir;
        const std::string path = dir / "settings.json";
        write_text(path, "broken");
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                std::string message;
                EXPECT_EQ(load_preferences(path, message), Preferences());
            });
        }
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(dir.files(), 1U);
        EXPECT_EQ(text_of(fs::directory_iterator(dir.path())->path().string()), "broken");
    }
}

}  // namespace
}  // namespace deconv::live
