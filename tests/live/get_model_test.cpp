// deconv-get-model: the program itself, with a catalogue and a server of the test's own.
#include <thread>

#include "base/sha256.h"
#include "live/live_models.h"
#include "live/program.h"
#include "media/http_server.h"

namespace deconv::testing {
namespace {

using Reply = HttpServer::Reply;

class GetModel : public ::testing::Test {
  protected:
    GetModel()
        : network_(content_of(write_model(published_, colour_model(), "colour-7.onnx"))),
          server_([this](const HttpRequest& request, Reply& reply) { answer_(request, reply); }) {
        write_text(published_ / "classes.txt", labels_);
        answer_ = [this](const HttpRequest& request, Reply& reply) { good(request, reply); };
        write_catalogue(network_);
        place_.program = DECONV_GET_MODEL;
        place_.environment = {
            {"DECONV_CATALOGUE", here_ / "catalogue.json"}, {"XDG_DATA_HOME", data_.path()}, {"no_proxy", "*"}};
    }

    static std::string content_of(const std::string& path) {
        const FileBytes bytes = read_file(path);
        return {bytes.begin(), bytes.end()};
    }
    static bool exists(const std::string& path) { return std::filesystem::exists(path); }

    void good(const HttpRequest& request, Reply& reply) const {
        if (request.target == "/classes.txt") return serve_content(labels_, request, reply);
        if (request.target == "/colour-7.onnx") return serve_content(network_, request, reply);
        reply.whole("404 Not Found", "");
    }

    /// `content` is what the network is said to be.
    void write_catalogue(const std::string& content) {
        const auto published = [&](const std::string& file, const std::string& bytes) {
            write_text(here_ / "bytes", bytes);
            return Json{{"file", file},
                        {"bytes", bytes.size()},
                        {"sha256", sha256_of_file(here_ / "bytes")},
                        {"address", server_.address("/" + file)}};
        };
        Json labels = published("classes.txt", labels_);
        labels.update({{"name", "colours.txt"}, {"classes", 3}});
        Json network = published("colour-7.onnx", content);
        network.update({{"name", "colour"},
                        {"title", "Three colours"},
                        {"license", "none"},
                        {"labels", "colours.txt"},
                        {"input",
                         {{"width", 8},
                          {"height", 8},
                          {"color", "rgb"},
                          {"range", {0, 1}},
                          {"mean", {0, 0, 0}},
                          {"std", {1, 1, 1}}}}});
        Json other = network;
        other.update({{"name", "other"}, {"file", "other-7.onnx"}, {"address", server_.address("/other-7.onnx")}});
        catalogue_ = {{"labels", {labels}}, {"networks", {network, other}}};
        write_catalogue();
    }
    void write_catalogue() { write_text(here_ / "catalogue.json", catalogue_.dump()); }

    Outcome get(const Arguments& arguments) const {
        Outcome outcome = run(arguments, place_);
        EXPECT_FALSE(outcome.timed_out);
        EXPECT_EQ(outcome.signal, 0) << outcome.err;
        return outcome;
    }
    /// What it says when it fails: a line, with nothing on standard output.
    std::string refused(const Arguments& arguments, int code = 1) const {
        const Outcome outcome = get(arguments);
        EXPECT_EQ(outcome.exit_code, code) << outcome.err;
        EXPECT_EQ(outcome.out, "");
        EXPECT_EQ(outcome.err.rfind("deconv-get-model: ", 0), 0U) << outcome.err;
        EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "not one line: " << outcome.err;
        return outcome.err;
    }
    std::string there(const std::string& name) const { return data_ / ("deconv-live/weights/" + name); }
    void expect_fetched() const {
        EXPECT_TRUE(content_of(there("colour.onnx")) == network_);
        EXPECT_FALSE(exists(there("colour.onnx.part")));
    }
    /// What deconv-live --list-models says of the network; null where it does not know it.
    Json listed() const {
        Place place = place_;
        place.program = DECONV_PROGRAM;
        const Json list = run_json({"--list-models"}, place);
        for (const Json& model : list.at("models")) {
            if (model.at("name") == "colour") return model;
        }
        return nullptr;
    }

    TempDir published_, here_, data_;
    std::string network_;
    std::string labels_ = "red\ngreen\nblue";
    HttpServer::Handler answer_;  // set before a request can come
    HttpServer server_;
    Json catalogue_;
    Place place_;
};

TEST_F(GetModel, FetchesAndDeconvLiveFindsIt) {
    EXPECT_TRUE(listed().is_null());
    const Outcome outcome = get({"colour"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_CONTAINS(outcome.err, there("colour.onnx"));
    expect_fetched();
    const Json model = listed();
    ASSERT_TRUE(model.is_object());
    EXPECT_EQ(model.at("path"), there("colour.onnx"));
    EXPECT_EQ(model.at("classes"), 3);
    EXPECT_EQ(model.at("origin"), "Three colours");
    EXPECT_EQ(model.at("input"), Json({8, 8}));

    const std::size_t asked = server_.requests().size();
    EXPECT_CONTAINS(get({"colour"}).err, "there already");
    EXPECT_EQ(server_.requests().size(), asked);
}

TEST_F(GetModel, DeconvLiveSaysHowToFetchIt) {
    Place place = place_;
    place.program = DECONV_PROGRAM;
    EXPECT_CONTAINS(failure({"--model", "colour", "--list-layers"}, 1, place), "tools/get-model colour fetches it");
    EXPECT_CONTAINS(failure({"--model", "color", "--list-layers"}, 1, place), "no model named");
}

TEST_F(GetModel, DamagedLaterIsNotRun) {
    get({"colour"});
    Place place = place_;
    place.program = DECONV_PROGRAM;
    run_well({"--model", "colour", "--list-layers"}, place);
    write_text(there("colour.onnx"), network_ + '\n');
    EXPECT_CONTAINS(failure({"--model", "colour", "--list-layers"}, 1, place), "SHA-256 differs");
    EXPECT_CONTAINS(refused({"colour"}), "move it away");
}

TEST_F(GetModel, ListSaysWhatIsFetched) {
    const auto line = [&] {
        const Outcome outcome = get({"--list"});
        EXPECT_EQ(outcome.exit_code, 0);
        EXPECT_EQ(outcome.err, "");
        const std::size_t at = outcome.out.find("\ncolour ");
        EXPECT_NE(at, std::string::npos) << outcome.out;
        return outcome.out.substr(at + 1, outcome.out.find('\n', at + 1) - at - 1);
    };
    EXPECT_CONTAINS(line(), " no ");
    get({"colour"});
    EXPECT_CONTAINS(line(), " yes ");
}

TEST_F(GetModel, KilledHalfWayAndContinued) {
    // Larger than what the connection's buffers hold, and no network at all: only the fetching is looked at here.
    network_ = std::string(std::size_t{4} << 20U, 'n');
    write_catalogue(network_);
    const std::size_t half = network_.size() / 2;
    answer_ = [&](const HttpRequest& request, Reply& reply) {
        if (request.target != "/colour-7.onnx" || !request.header("range").empty()) return good(request, reply);
        reply.head("200 OK", {"Content-Length: " + std::to_string(network_.size())});
        if (reply.body(std::string_view(network_).substr(0, half))) reply.silence(std::chrono::minutes(1));
    };
    {
        Program program({"colour"}, place_);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        std::error_code none;
        while (std::filesystem::file_size(there("colour.onnx.part"), none) != half || none) {
            ASSERT_LT(std::chrono::steady_clock::now(), end);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        program.send(SIGKILL);
        EXPECT_EQ(program.wait().signal, SIGKILL);
    }
    EXPECT_FALSE(exists(there("colour.onnx")));
    EXPECT_FALSE(exists(there("colour.json")));
    EXPECT_TRUE(listed().is_null());

    const Outcome outcome = get({"colour"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_CONTAINS(outcome.err, "2.0 MiB were there");
    EXPECT_EQ(server_.requests().back().header("range"), "bytes=" + std::to_string(half) + "-");
    EXPECT_EQ(server_.body_bytes(), network_.size() + labels_.size());
    expect_fetched();
    EXPECT_TRUE(listed().is_object());
}

TEST_F(GetModel, InterruptedKeepsThePart) {
    answer_ = [&](const HttpRequest& request, Reply& reply) {
        if (request.target != "/colour-7.onnx") return good(request, reply);
        reply.head("200 OK", {"Content-Length: " + std::to_string(network_.size())});
        if (reply.body(network_.substr(0, 100))) reply.silence(std::chrono::minutes(1));
    };
    Program program({"colour"}, place_);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::error_code none;
    while (std::filesystem::file_size(there("colour.onnx.part"), none) != 100 || none) {
        ASSERT_LT(std::chrono::steady_clock::now(), end);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    program.send(SIGINT);
    const Outcome outcome = program.wait();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_CONTAINS(outcome.err, "goes on from there");
    EXPECT_TRUE(exists(there("colour.onnx.part")));
    EXPECT_FALSE(exists(there("colour.onnx")));
}

TEST_F(GetModel, WrongBytesNeverGetAName) {
    answer_ = [&](const HttpRequest& request, Reply& reply) {
        if (request.target != "/colour-7.onnx") return good(request, reply);
        std::string wrong = network_;
        wrong.back() ^= 1;
        serve_content(wrong, request, reply);
    };
    EXPECT_CONTAINS(refused({"colour"}), "SHA-256");
    EXPECT_FALSE(exists(there("colour.onnx")));
    EXPECT_FALSE(exists(there("colour.json")));
    EXPECT_FALSE(exists(there("colour.onnx.part")));
    EXPECT_TRUE(listed().is_null());
}

TEST_F(GetModel, AllGoesOnAfterOneThatFails) {
    const Outcome outcome = get({"all"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_CONTAINS(outcome.err, "/other-7.onnx: HTTP 404");
    expect_fetched();
    EXPECT_FALSE(exists(there("other.onnx")));
}

TEST_F(GetModel, FromAFileOrFolderUsesNoNetwork) {
    const TempDir file, folder;
    EXPECT_EQ(get({"colour", "--from", published_ / "colour-7.onnx", "--to", file.path()}).exit_code, 0);
    EXPECT_EQ(get({"colour", "--from", published_.path(), "--to", folder.path()}).exit_code, 0);
    for (const TempDir* to : {&file, &folder}) {
        EXPECT_TRUE(content_of(*to / "colour.onnx") == network_);
        EXPECT_EQ(content_of(*to / "colours.txt"), labels_);
        EXPECT_CONTAINS(content_of(*to / "colour.json"), "colours.txt");
    }
    EXPECT_TRUE(server_.requests().empty());
    EXPECT_CONTAINS(refused({"colour", "--from", here_.path()}), "holds neither");
    EXPECT_CONTAINS(refused({"colour", "--from", here_ / "catalogue.json"}), "bytes, not");
}

TEST_F(GetModel, FromAMirror) {
    catalogue_["networks"][0]["address"] = "http://127.0.0.1:9/absent";
    catalogue_["labels"][0]["address"] = "http://127.0.0.1:9/absent";
    write_catalogue();
    EXPECT_EQ(get({"colour", "--from", server_.address("")}).exit_code, 0);
    expect_fetched();
    EXPECT_EQ(listed().at("classes"), 3);
}

TEST_F(GetModel, WithoutLabelsAndTheyComeLater) {
    answer_ = [&](const HttpRequest& request, Reply& reply) {
        if (request.target == "/classes.txt") return reply.whole("404 Not Found", "");
        good(request, reply);
    };
    const Outcome first = get({"colour"});
    EXPECT_EQ(first.exit_code, 0) << first.err;
    EXPECT_CONTAINS(first.err, "has no labels");
    EXPECT_EQ(listed().at("classes"), 0);

    write_text(here_ / "mine.txt", "r\ng\nb\n");
    write_text(here_ / "few.txt", "r\ng\n");
    EXPECT_CONTAINS(refused({"colour", "--labels", here_ / "few.txt"}), "3 classes");
    EXPECT_EQ(get({"colour", "--labels", here_ / "mine.txt"}).exit_code, 0);
    EXPECT_EQ(listed().at("classes"), 3);
}

TEST_F(GetModel, AChangedSidecarStays) {
    get({"colour"});
    write_text(there("colour.json"), R"({"name": "colour", "origin": "mine"})");
    EXPECT_EQ(get({"colour"}).exit_code, 0);
    EXPECT_EQ(listed().at("origin"), "mine");
}

TEST_F(GetModel, WrongCommandLines) {
    EXPECT_CONTAINS(refused({}, 2), "--list");
    EXPECT_CONTAINS(refused({"colours"}, 2), "there is: colour, other, all");
    EXPECT_CONTAINS(refused({"--no-such-option"}, 2), "--no-such-option");
    EXPECT_CONTAINS(refused({"all", "--from", "one.onnx"}, 2), "one.onnx");
    EXPECT_TRUE(server_.requests().empty());
}

TEST_F(GetModel, HelpNamesEveryOption) {
    const Outcome outcome = get({"--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    for (const char* option : {"--list", "--from", "--to", "--labels"}) EXPECT_CONTAINS(outcome.out, option);
}

TEST_F(GetModel, BadCatalogues) {
    const auto said = [&](const Json& catalogue) {
        write_text(here_ / "catalogue.json", catalogue.dump());
        return refused({"colour"});
    };
    const Json good = catalogue_;
    const auto with = [&](const char* key, const Json& value) {
        Json bad = good;
        bad["networks"][0][key] = value;
        return bad;
    };
    EXPECT_CONTAINS(said("text"), "catalogue.json");
    EXPECT_CONTAINS(said(with("name", "../colour")), "\"name\"");
    EXPECT_CONTAINS(said(with("name", "other")), "twice");
    EXPECT_CONTAINS(said(with("bytes", -1)), "\"bytes\"");
    EXPECT_CONTAINS(said(with("sha256", "abc")), "\"sha256\"");
    EXPECT_CONTAINS(said(with("address", "file:///etc/passwd")), "\"address\"");
    EXPECT_CONTAINS(said(with("mirrors", {1})), "\"address\"");
    EXPECT_CONTAINS(said(with("labels", "absent.txt")), "\"labels\"");
    EXPECT_CONTAINS(said(with("input", 1)), "\"input\"");
    Json less = good;
    less["networks"][0].erase("license");
    EXPECT_CONTAINS(said(less), "\"license\" is missing");
    write_text(here_ / "catalogue.json", "{");
    EXPECT_CONTAINS(refused({"colour"}), "not valid JSON");
    std::filesystem::remove(here_ / "catalogue.json");
    EXPECT_CONTAINS(refused({"colour"}), "cannot be read");
}

/// The catalogue that is shipped: its sidecars are read as those of networks are.
TEST(Catalogue, SidecarsAreGood) {
    const Json catalogue = Json::parse(std::ifstream(DECONV_SOURCE_DIR "/weights/catalogue.json"));
    const TempDir folder;
    std::vector<std::string> names;
    for (const Json& network : catalogue.at("networks")) {
        const auto name = network.at("name").get<std::string>();
        names.push_back(name);
        write_text(folder / (name + ".json"), Json{{"input", network.at("input")}}.dump());
        write_text(folder / (name + ".onnx"), "");
        EXPECT_GE(network.at("mirrors").size(), 1U) << name;
    }
    EXPECT_EQ(names,
              (std::vector<std::string>{"squeezenet1.1", "alexnet", "zfnet512", "vgg16", "googlenet", "resnet18"}));
    const Json listed = run_json({"--list-models"}, {".", {{"DECONV_WEIGHTS", folder.path()}}});
    for (const std::string& name : names) {
        const bool there = std::any_of(listed.at("models").begin(), listed.at("models").end(), [&](const Json& model) {
            return model.at("name") == name && model.at("input") == Json({224, 224});
        });
        EXPECT_TRUE(there) << name;
    }
}

}  // namespace
}  // namespace deconv::testing
