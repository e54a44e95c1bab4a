// Running deconv-live, or another program of the project, as a person would: with arguments, an environment and a
// working directory, and looking at what it said and left.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "media/media_testing.h"

namespace deconv::testing {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

struct Outcome {
    int exit_code = -1;  // −1 where a signal ended it
    int signal = 0;
    bool timed_out = false;
    std::string out, err;
};

/// Where and how it runs.  Variables with an empty value are taken out of the environment.
struct Place {
    std::string folder = ".";
    std::map<std::string, std::string> environment;
    std::string program = DECONV_PROGRAM;
};

/// One run of the program, in the background until it is waited for.
class Program {
  public:
    explicit Program(const Arguments& arguments, const Place& place = {}) {
        std::vector<std::string> words{place.program};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);

        std::vector<std::string> variables = environment_of(place);
        std::vector<char*> environment;
        for (std::string& variable : variables) environment.push_back(variable.data());
        environment.push_back(nullptr);

        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        const int flags = O_WRONLY | O_CREAT | O_TRUNC;
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (said_ / "out").c_str(), flags, 0600);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (said_ / "err").c_str(), flags, 0600);
        posix_spawn_file_actions_addchdir_np(&actions, place.folder.c_str());
        const int error =
            ::posix_spawn(&pid_, place.program.c_str(), &actions, nullptr, argv.data(), environment.data());
        posix_spawn_file_actions_destroy(&actions);
        if (error != 0) throw Error("cannot start " + place.program);
    }
    ~Program() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    pid_t pid() const { return pid_; }
    void send(int signal) const { ::kill(pid_, signal); }
    /// Its standard error so far.
    std::string said() const { return text_of("err"); }
    bool running() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
    }

    /// What it did in the end; a run that takes longer than any should is killed.
    Outcome wait(std::chrono::seconds most = std::chrono::seconds(240)) {
        Outcome outcome;
        const auto end = std::chrono::steady_clock::now() + most;
        while (running()) {
            if (std::chrono::steady_clock::now() > end) {
                outcome.timed_out = true;
                send(SIGKILL);
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
        if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
        outcome.out = text_of("out");
        outcome.err = text_of("err");
        return outcome;
    }

  private:
    static std::vector<std::string> environment_of(const Place& place) {
        std::map<std::string, std::string> all;
        for (char** entry = environ; *entry != nullptr; ++entry) {
            const std::string text = *entry;
            const std::size_t equals = text.find('=');
            if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
        }
        // No window, and nothing of this person's: the cache and the fetched networks are the tests' own.
        static const TempDir cache;
        all["XDG_DATA_HOME"] = cache.path();
        all["DISPLAY"] = all["WAYLAND_DISPLAY"] = all["DECONV_WEIGHTS"] = all["DECONV_CATALOGUE"] = "";
        all["XDG_CACHE_HOME"] = cache.path();
        all["XDG_CONFIG_HOME"] = cache / "config";
        for (const auto& [name, value] : place.environment) all[name] = value;
        std::vector<std::string> variables;
        for (const auto& [name, value] : all) {
            if (!value.empty()) variables.push_back(name + "=" + value);
        }
        return variables;
    }

    std::string text_of(const char* name) const {
        const FileBytes bytes = read_file(said_ / name);
        return {bytes.begin(), bytes.end()};
    }

    TempDir said_;
    pid_t pid_ = 0;
};

inline Outcome run(const Arguments& arguments, const Place& place = {}) {
    return Program(arguments, place).wait();
}

/// Runs and expects success.
inline Outcome run_well(const Arguments& arguments, const Place& place = {}) {
    Outcome outcome = run(arguments, place);
    EXPECT_EQ(outcome.exit_code, 0) << "signal " << outcome.signal << ", standard error: " << outcome.err;
    return outcome;
}

/// Runs with --json and gives the object; nothing else may be on standard output.
inline Json run_json(Arguments arguments, const Place& place = {}) {
    arguments.emplace_back("--json");
    const Outcome outcome = run_well(arguments, place);
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << outcome.out << outcome.err;
    return json.is_object() ? json : Json::object();
}

/// The one line by which a run that fails says why: it begins with the program's name, exits with `code`, and
/// nothing is on standard output.
inline std::string failure(const Arguments& arguments, int code = 1, const Place& place = {}) {
    const Outcome outcome = run(arguments, place);
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.signal, 0) << outcome.err;
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err.rfind("deconv-live: ", 0), 0U) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "not one line: " << outcome.err;
    return outcome.err;
}

/// A stream's facts as ffprobe decodes them; frames is 0 where nothing decodes.
struct Film {
    int width = 0, height = 0, frames = 0;
    std::string rate;
};
inline Film probe(const std::string& path) {
    const std::string text = output_of(
        "ffprobe -v error -count_frames -select_streams v -of json -show_entries "
        "stream=width,height,r_frame_rate,nb_read_frames '" +
        path + "' 2>/dev/null");
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("streams", Json::array()).empty()) return {};
    const Json& stream = json["streams"][0];
    return {stream.value("width", 0), stream.value("height", 0), std::stoi(stream.value("nb_read_frames", "0")),
            stream.value("r_frame_rate", "")};
}

}  // namespace deconv::testing
