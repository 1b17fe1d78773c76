// A short list is a vector, wherever its elements are.

#include "enigma/short_list.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using namespace enigma;

TEST_CASE("a short list holds what a vector holds, inside and outside of itself") {
  for (int size = 0; size < 9; ++size) {
    CAPTURE(size);
    std::vector<int> numbers(static_cast<size_t>(size));
    std::iota(numbers.begin(), numbers.end(), 1);
    auto same = [&](const ShortList<int, 3>& list) {
      return std::vector(list.begin(), list.end()) == numbers && list.empty() == numbers.empty();
    };
    ShortList<int, 3> list(numbers.begin(), numbers.end());
    CHECK(same(list));
    ShortList<int, 3> one_by_one;
    for (int n : numbers) one_by_one.push_back(n);
    CHECK(one_by_one == list);

    ShortList<int, 3> copy = list;
    copy.push_back(9);
    CHECK(same(list));
    CHECK(copy.back() == 9);
    copy.pop_back();
    CHECK(copy == list);
    ShortList<int, 3> moved = std::move(copy);
    CHECK(same(moved));
    moved = std::move(list);
    CHECK(same(moved));
    moved = *&moved;
    CHECK(same(moved));
    for (int other : {1, 5}) {
      ShortList<int, 3> target;
      for (int k = 0; k < other; ++k) target.push_back(k);
      target = moved;
      CHECK(same(target));
    }
    moved.append(numbers.begin(), numbers.end());
    CHECK(moved.size() == 2 * numbers.size());
  }
}
