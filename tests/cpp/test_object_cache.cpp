// The disk cache of CPU objects: what is damaged, of others, or too much, and folders that fail.
#include <doctest/doctest.h>

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "runtime/cpu/object_cache.h"
#include "support/digest.h"

using namespace enigma;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kPlenty = uint64_t{1} << 30;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "enigma-test-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path objects() const { return path / "cpu"; }
  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (auto& entry : fs::directory_iterator(objects())) all.push_back(entry.path());
    return all;
  }
};

// A compiler that doubles its text and counts how often it is asked.
struct Counting {
  int compiled = 0;
  CpuCompiler in(const fs::path& folder, const std::string& identity = "compiler 1",
                 uint64_t most = kPlenty) {
    return cpu::cached_in(
        folder, most,
        [this](const std::string& text) {
          ++compiled;
          return text + text;
        },
        identity);
  }
};

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

TEST_CASE("a text is compiled once, for all processes to come") {
  Folder folder;
  Counting first, second;
  CpuCompiler compile = first.in(folder.objects());
  CHECK(compile("abc") == "abcabc");
  CHECK(compile("abc") == "abcabc");
  CHECK(first.compiled == 1);
  CpuCompiler again = second.in(folder.objects());
  CHECK(again("abc") == "abcabc");
  CHECK(second.compiled == 0);
  CHECK(again("abd") == "abdabd");
  CHECK(second.compiled == 1);
  CHECK(folder.files().size() == 2);
}

TEST_CASE("another compiler has objects of its own") {
  Folder folder;
  Counting one, two;
  one.in(folder.objects(), "compiler 1")("abc");
  two.in(folder.objects(), "compiler 2")("abc");
  CHECK(two.compiled == 1);
  CHECK(folder.files().size() == 2);
}

TEST_CASE("every damage is found, and mended") {
  Folder folder;
  Counting counting;
  CpuCompiler compile = counting.in(folder.objects());
  const std::string text(100, 'x');
  compile(text);
  const fs::path file = folder.files().at(0);
  const std::string whole = contents(file);
  int expected = 1;
  auto mended = [&](const std::string& content) {
    write(file, content);
    CHECK(compile(text) == text + text);
    CHECK(counting.compiled == ++expected);
    CHECK(contents(file) == whole);
  };
  for (size_t bytes = 0; bytes < whole.size(); bytes += 7) mended(whole.substr(0, bytes));
  for (size_t at = 0; at < whole.size(); at += 5) {
    std::string flipped = whole;
    flipped[at] ^= 4;
    mended(flipped);
  }
  mended(whole + "x");
  mended(whole + whole);
  mended(std::string(100000, '\0'));
}

TEST_CASE("an object under the name of another is not taken") {
  Folder folder;
  Counting counting;
  CpuCompiler compile = counting.in(folder.objects());
  compile("abc");
  const fs::path abc = folder.files().at(0);
  compile("other");
  std::vector<fs::path> files = folder.files();
  const fs::path other = files[0] == abc ? files[1] : files[0];
  write(abc, contents(other));
  CHECK(compile("abc") == "abcabc");
  CHECK(counting.compiled == 3);
}

TEST_CASE("code that others can write is not run, nor what is no file") {
  Folder folder;
  Counting counting;
  CpuCompiler compile = counting.in(folder.objects());
  compile("abc");
  const fs::path file = folder.files().at(0);
  for (fs::perms others : {fs::perms::group_write, fs::perms::others_write}) {
    fs::permissions(file, others, fs::perm_options::add);
    int before = counting.compiled;
    CHECK(compile("abc") == "abcabc");
    CHECK(counting.compiled == before + 1);
    CHECK((fs::status(file).permissions() & others) == fs::perms::none);  // written anew
  }
  fs::remove(file);
  fs::create_directory(file);
  CHECK(compile("abc") == "abcabc");
}

TEST_CASE("a folder that cannot be written keeps nothing, and nothing else goes wrong") {
  Folder folder;
  write(folder.path / "file", "in the way");
  Counting counting;
  for (const fs::path& path :
       {folder.path / "file" / "folder", fs::path("/proc/none"), fs::path()}) {
    CpuCompiler compile = counting.in(path);
    int before = counting.compiled;
    CHECK(compile("abc") == "abcabc");
    CHECK(compile("abc") == "abcabc");
    CHECK(counting.compiled == before + 2);
  }
  CHECK(cpu::cached_in(folder.path, kPlenty, nullptr, "none") == nullptr);
}

TEST_CASE("the folder's size is bounded, and what was used last stays") {
  Folder folder;
  Counting counting;
  constexpr uint64_t kMost = 100'000;
  const std::string favourite(1000, 'f');
  auto age = [&] {  // all that is there becomes an hour older
    for (const fs::path& file : folder.files()) {
      fs::last_write_time(file, fs::last_write_time(file) - std::chrono::hours(1));
    }
  };
  CpuCompiler compile = counting.in(folder.objects(), "", kMost);
  compile(favourite);
  for (int k = 0; k < 500; ++k) {
    compile(std::string(1000, 'x') + std::to_string(k));
    if (k % 20 == 0) {
      age();
      compile(favourite);
    }
    uint64_t bytes = 0;
    for (const fs::path& file : folder.files()) bytes += fs::file_size(file);
    CHECK(bytes < 2 * kMost);  // it is looked at now and then
  }
  CHECK(counting.compiled == 501);
  // What a crash left a day ago goes with the next look, what is being written stays.
  const fs::path old = folder.objects() / "a.draft", fresh = folder.objects() / "b.draft";
  write(old, "half");
  write(fresh, "half");
  fs::last_write_time(old, fs::last_write_time(old) - std::chrono::hours(25));
  counting.in(folder.objects(), "", kMost)("one more");
  CHECK(!fs::exists(old));
  CHECK(fs::exists(fresh));
}

TEST_CASE("threads that compile the same at once get the same") {
  Folder folder;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      CpuCompiler compile = cpu::cached_in(
          folder.objects(), 20'000, [](const std::string& text) { return text + text; }, "");
      for (int k = 0; k < 300; ++k) {
        std::string text(1000, static_cast<char>('a' + k % 26));
        if (compile(text) != text + text) ++wrong;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
  for (const fs::path& file : folder.files()) CHECK(file.extension() == ".object");
}

TEST_CASE("a digest depends on every byte") {
  std::string text(40, 'x');
  std::vector<std::string> all{digest(text), digest(""), digest(std::string(1, '\0'))};
  for (size_t bytes = 1; bytes < text.size(); ++bytes) all.push_back(digest(text.substr(0, bytes)));
  for (size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = text;
      other[at] ^= static_cast<char>(1 << bit);
      all.push_back(digest(other));
    }
  }
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
  CHECK(all[0].size() == 32);
}
