// Blob: zeros at aligned offsets, growth keeps what is there, views keep their owner.
#include "runtime/blob.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/status.h"

namespace octet {
namespace {

TEST(Blob, AppendsAlignedZerosWithSlackBehind) {
  Blob b;
  for (size_t bytes : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{5000}}) {
    const size_t end = b.size(), at = b.append(bytes);
    EXPECT_EQ(at, (end + OCTET_ALIGNMENT - 1) / OCTET_ALIGNMENT * OCTET_ALIGNMENT);
    EXPECT_EQ(b.size(), at + bytes);
    EXPECT_EQ(reinterpret_cast<size_t>(b.data()) % OCTET_ALIGNMENT, 0u);
    EXPECT_TRUE(std::all_of(b.data() + end, b.data() + b.size() + OCTET_SLACK_BYTES, [](uint8_t v) { return v == 0; }));
    std::memset(b.data() + at, 0xff, bytes);
  }
}

TEST(Blob, GrowsPastItsReserve) {
  Blob b;
  b.reserve(100);
  std::vector<uint8_t> expected;
  for (int i = 0; i < 9; ++i) {  // nine times a megabyte: several moves
    expected.insert(expected.end(), size_t{1} << 20, static_cast<uint8_t>(i));
    const size_t at = b.append(size_t{1} << 20);
    std::memset(b.data() + at, i, size_t{1} << 20);
    EXPECT_TRUE(std::ranges::equal(b.bytes(), expected));
  }
  EXPECT_EQ(b.data()[b.size() + OCTET_SLACK_BYTES - 1], 0) << "slack";
}

TEST(Blob, CopiesAndMoves) {
  Blob a;
  a.append(3);
  std::memcpy(a.data(), "abc", 3);
  Blob copy = a;
  copy.data()[0] = 'x';
  EXPECT_EQ(a.data()[0], 'a');
  const uint8_t* at = a.data();
  const Blob moved = std::move(a);
  EXPECT_EQ(moved.data(), at);
  EXPECT_EQ(moved.size(), 3u);
  copy = moved;
  EXPECT_EQ(copy.data()[0], 'a');
  EXPECT_EQ(Blob(Blob()).size(), 0u);
}

TEST(Blob, ViewsKeepTheirOwnerAndDoNotGrow) {
  const auto owner = std::make_shared<const std::vector<uint8_t>>(size_t{256}, uint8_t{7});
  {
    Blob view = Blob::view({owner->data(), 100}, owner);
    const Blob second = view;
    EXPECT_EQ(second.data(), owner->data());
    EXPECT_EQ(owner.use_count(), 3);
    EXPECT_THROW(view.append(1), Error);
  }
  EXPECT_EQ(owner.use_count(), 1);
}

}  // namespace
}  // namespace octet
