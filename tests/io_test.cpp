// Arrays and photographs in files: against files that NumPy and Pillow wrote, and against damaged ones.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <random>

#include "generator/io/npy.h"
#include "generator/io/photo.h"
#include "runtime/status.h"

namespace octet {
namespace {

std::string data(const std::string& name) {
  return std::string(OCTET_SOURCE_DIR) + "/tests/data/io/" + name;
}

template <class T>
std::vector<T> list(const Array& a) {
  const auto v = a.values<T>();
  return {v.begin(), v.end()};
}

template <class F>
std::string user_message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::user) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

class Scratch : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("octet_io_" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string file(const std::string& name) const { return (dir_ / name).string(); }
  std::filesystem::path dir_;
};

TEST(Npy, ReadsWhatNumPyWrites) {
  const Array f4 = read_npy(data("f4.npy"));
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(f4.dtype, DType::f32);
  EXPECT_EQ(f4.shape, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(list<float>(f4), (std::vector<float>{0, -0.f, 1.5f, 3.4028235e38f, inf, -inf, 1e-45f, 0x1p-126f}));
  EXPECT_TRUE(std::signbit(f4.values<float>()[1]));
  const Array f8 = read_npy(data("f8.npy"));
  EXPECT_EQ(f8.dtype, DType::f32);
  EXPECT_EQ(list<float>(f8), (std::vector<float>{1.f / 3, inf, -inf, 0.1f}));
  EXPECT_EQ(list<uint8_t>(read_npy(data("u1.npy"))), (std::vector<uint8_t>{0, 1, 127, 128, 255}));
  const Array scalar = read_npy(data("i1_scalar.npy"));
  EXPECT_TRUE(scalar.shape.empty());
  EXPECT_EQ(list<int8_t>(scalar), std::vector<int8_t>{-128});
  const Array empty = read_npy(data("i8_empty.npy"));
  EXPECT_EQ(empty.shape, (std::vector<int64_t>{3, 0, 2}));
  EXPECT_EQ(empty.elements(), 0);
  EXPECT_EQ(list<uint8_t>(read_npy(data("v2_u1.npy"))), (std::vector<uint8_t>{0, 1, 2, 3, 4, 5}));
}

TEST(Npy, FortranOrderBecomesRowMajor) {
  const Array a = read_npy(data("i4_fortran.npy"));
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3, 4}));
  std::vector<int32_t> counting(24);
  for (size_t i = 0; i < 24; ++i) counting[i] = static_cast<int32_t>(i);
  EXPECT_EQ(list<int32_t>(a), counting);
}

TEST(Npy, WritesTheBytesOfNumPy) {
  for (const char* name : {"f4.npy", "u1.npy", "i1_scalar.npy", "i8_empty.npy"}) {
    const std::vector<uint8_t> file = read_file(data(name));
    // NumPy pads shape-dependent; the array must be the same and the data aligned to 64.
    const Array a = parse_npy(file, name);
    const std::vector<uint8_t> ours = format_npy(a);
    const Array back = parse_npy(ours, name);
    EXPECT_EQ(back.dtype, a.dtype);
    EXPECT_EQ(back.shape, a.shape);
    EXPECT_EQ(back.data, a.data);
    EXPECT_EQ((ours.size() - a.data.size()) % 64, 0u);
  }
  EXPECT_EQ(format_npy(read_npy(data("u1.npy"))), read_file(data("u1.npy")));
}

std::vector<uint8_t> npy_with_header(std::string header, size_t data_bytes, int version = 1) {
  std::vector<uint8_t> out = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  out.push_back(static_cast<uint8_t>(header.size() & 255));
  out.push_back(static_cast<uint8_t>(header.size() >> 8));
  if (version > 1) out.insert(out.end(), 2, 0);
  out.insert(out.end(), header.begin(), header.end());
  out.resize(out.size() + data_bytes);
  return out;
}

struct BadHeader {
  const char* header;
  size_t data_bytes;
  const char* says;
};

class BadNpy : public testing::TestWithParam<BadHeader> {};

TEST_P(BadNpy, IsAUserError) {
  const auto& [header, bytes, says] = GetParam();
  const std::string message = user_message([&] { parse_npy(npy_with_header(header, bytes), "x.npy"); });
  EXPECT_NE(message.find(says), std::string::npos) << message;
  EXPECT_EQ(message.find("x.npy: "), 0u) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadNpy,
    testing::Values(
        BadHeader{"", 4, "corrupt .npy header"}, BadHeader{"{", 4, "corrupt .npy header"},
        BadHeader{"{}", 4, "missing"}, BadHeader{"{'descr': '<f4', 'fortran_order': False}", 4, "missing"},
        BadHeader{"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}", 4, "not True or False"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (1}", 4, "corrupt .npy header"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "not a whole number"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4, "behind its end"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'descr': '<f4'}", 4, "unexpected key"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, "does not match its 4 bytes"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 8, "does not match its 8 bytes"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 4, "does not match"},
        BadHeader{"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", 4, "too large"},
        BadHeader{"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", 4, "element type '>f4'"},
        BadHeader{"{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}", 4, "element type '<f2'"},
        BadHeader{"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 4, "element type '|O'"},
        BadHeader{"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, "records"},
        BadHeader{"{'descr': '<f4, 'fortran_order': False}", 4, "corrupt .npy header"}));

TEST(Npy, RefusesTooManyDimensionsAndUnknownVersions) {
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 33; ++i) header += "1,";
  EXPECT_NE(user_message([&] { parse_npy(npy_with_header(header + ")}", 1), "x"); }).find("32 dim"), std::string::npos);
  EXPECT_NE(user_message([&] { parse_npy(npy_with_header("{}", 1, 9), "x"); }).find("version 9"), std::string::npos);
}

// Every prefix and every flipped byte of a file either reads or is a user error; nothing crashes.
template <class Read>
void damage(const std::vector<uint8_t>& good, const Read& read) {
  size_t refused = 0;
  const auto attempt = [&](const std::vector<uint8_t>& bytes) {
    try {
      read(bytes);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::user) << e.what();
      ++refused;
    }
  };
  for (size_t n = 0; n < good.size(); ++n) attempt({good.begin(), good.begin() + static_cast<long>(n)});
  for (size_t i = 0; i < good.size(); ++i)
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<uint8_t> bad = good;
      bad[i] = static_cast<uint8_t>(bad[i] ^ flip);
      attempt(bad);
    }
  EXPECT_GE(refused, good.size() / 2);
}

TEST(Npy, DamagedFilesAreUserErrors) {
  for (const char* name : {"f4.npy", "i4_fortran.npy", "v2_u1.npy"})
    damage(read_file(data(name)), [](const std::vector<uint8_t>& b) { parse_npy(b, "x"); });
}

void read_all(const std::vector<uint8_t>& bytes) {
  const NpzReader npz(bytes, "x.npz");
  for (const std::string& name : npz.names()) npz.read(name);
}

TEST(Npz, DamagedFilesAreUserErrors) {
  for (const char* name : {"stored.npz", "deflated.npz"}) damage(read_file(data(name)), read_all);
}

TEST(Npz, ReadsStoredAndDeflatedMembers) {
  const NpzReader stored(data("stored.npz"));
  EXPECT_EQ(stored.names(), (std::vector<std::string>{"x", "layer/two:0"}));
  EXPECT_EQ(list<float>(stored.read("x")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(list<int8_t>(stored.read("layer/two:0")), (std::vector<int8_t>{-128, 127}));
  const NpzReader deflated(data("deflated.npz"));
  EXPECT_EQ(list<float>(deflated.read("x")), std::vector<float>(64 * 64));
  EXPECT_EQ(list<int64_t>(deflated.read("y"))[299], 299);
  EXPECT_NE(user_message([&] { deflated.read("z"); }).find("no member 'z'"), std::string::npos);
}

TEST(Npz, ALyingSizeCostsNoMemory) {
  std::vector<uint8_t> bytes = read_file(data("deflated.npz"));
  // The directory entries claim almost 2 GiB unpacked.
  for (size_t i = 0; i + 46 < bytes.size(); ++i)
    if (std::memcmp(&bytes[i], "PK\1\2", 4) == 0) std::memcpy(&bytes[i + 24], "\xff\xff\xff\x7f", 4);
  EXPECT_NE(user_message([&] { read_all(bytes); }).find("impossible compression"), std::string::npos);
}

using Files = Scratch;

TEST_F(Files, NpzRoundTrip) {
  Array a{DType::f32, {2, 2}, std::vector<uint8_t>(16)};
  a.values<float>()[3] = -0.f;
  const Array none{DType::s64, {0}, {}}, one{DType::boolean, {}, {1}};
  write_npz(file("a.npz"),
            std::vector<std::pair<std::string, Array>>{{"first", a}, {"n\xc3\xa4me/1", none}, {"3", one}});
  const NpzReader npz(file("a.npz"));
  EXPECT_EQ(npz.names(), (std::vector<std::string>{"first", "n\xc3\xa4me/1", "3"}));
  EXPECT_EQ(npz.read("first").data, a.data);
  EXPECT_EQ(npz.read("n\xc3\xa4me/1").shape, none.shape);
  EXPECT_EQ(npz.read("3").dtype, DType::boolean);
}

TEST_F(Files, WhatCannotBeReadOrWrittenNamesTheReason) {
  const std::vector<uint8_t> bytes(1 << 16);
  const Bytes piece(bytes);
  const auto write = [&](const std::string& path) { return user_message([&] { write_file(path, {&piece, 1}); }); };
  EXPECT_NE(write(file("no/such/x")).find("No such file"), std::string::npos);
  EXPECT_NE(write(dir_.string()).find("Is a directory"), std::string::npos);
  EXPECT_NE(write("/dev/full").find("No space left"), std::string::npos);
  EXPECT_NE(user_message([&] { read_file(file("none")); }).find("No such file"), std::string::npos);
  EXPECT_NE(user_message([&] { read_file(dir_.string()); }).find("Is a directory"), std::string::npos);
  EXPECT_NE(user_message([&] { read_file("/dev/zero"); }).find("not a regular file"), std::string::npos);
  write_file(file("big"), {&piece, 1});
  EXPECT_NE(user_message([&] { read_file(file("big"), 1000); }).find("larger"), std::string::npos);
  EXPECT_EQ(read_file(file("big")), bytes);
}

TEST(Photo, BmpAndPngHoldTheSamePicture) {
  const Photo bmp = load_photo(data("noise_13x9.bmp")), png = load_photo(data("noise_13x9.png"));
  EXPECT_EQ(bmp.width, 13);
  EXPECT_EQ(bmp.height, 9);
  EXPECT_EQ(bmp.rgb, png.rgb);
}

TEST(Photo, JpegComesClose) {
  const Photo p = load_photo(data("ramp_16x16.jpg"));
  ASSERT_EQ(p.rgb.size(), 16u * 16 * 3);
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x)
      EXPECT_NEAR(p.rgb[static_cast<size_t>(3 * (16 * y + x))], 8 * y + 7 * x, 6) << x << ", " << y;
}

class Resize : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(Resize, GivesThePixelsOfPillow) {
  const auto [w, h] = GetParam();
  const Photo p = resize_bilinear(load_photo(data("noise_13x9.bmp")), w, h);
  const Array expected = read_npy(data("noise_" + std::to_string(w) + "x" + std::to_string(h) + ".npy"));
  EXPECT_EQ(expected.shape, (std::vector<int64_t>{h, w, 3}));
  EXPECT_EQ(p.rgb, expected.data);
}

INSTANTIATE_TEST_SUITE_P(All, Resize,
                         testing::Values(std::pair(5, 4), std::pair(20, 30), std::pair(13, 4), std::pair(6, 9),
                                         std::pair(1, 1)));

TEST(Photo, LayoutAndScaleFollowTheInput) {
  const Photo p = load_photo(data("noise_13x9.bmp"));
  const TensorInfo nchw{"x", DType::f32, {1, 3, 9, 13}}, nhwc{"x", DType::f32, {1, 9, 13, 3}},
      grey{"x", DType::f32, {1, 1, 9, 13}};
  const Array a = photo_to_array(p, nchw, PhotoScale::raw, {}), b = photo_to_array(p, nhwc, PhotoScale::raw, {});
  for (size_t i = 0; i < 9 * 13; ++i)
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(a.values<float>()[c * 9 * 13 + i], p.rgb[3 * i + c]);
      EXPECT_EQ(b.values<float>()[3 * i + c], p.rgb[3 * i + c]);
    }
  const Array g = photo_to_array(p, grey, PhotoScale::raw, {}), expected = read_npy(data("noise_grey_13x9.npy"));
  for (size_t i = 0; i < 9 * 13; ++i) EXPECT_EQ(g.values<float>()[i], expected.data[i]);
  const float x = p.rgb[1];  // a green value, channel 1 of nchw
  EXPECT_EQ(photo_to_array(p, nchw, PhotoScale::zero_to_one, {}).values<float>()[9 * 13], x / 255);
  EXPECT_EQ(photo_to_array(p, nchw, PhotoScale::minus_one_to_one, {}).values<float>()[9 * 13], x / 127.5f - 1);
  EXPECT_EQ(photo_to_array(p, nchw, PhotoScale::imagenet, {}).values<float>()[9 * 13], (x / 255 - 0.456f) / 0.224f);
  const PhotoOptions own{.mean = {0, 0.5f, 0}, .std = {1, 2, 1}};
  EXPECT_EQ(photo_to_array(p, nchw, PhotoScale::custom, own).values<float>()[9 * 13], (x / 255 - 0.5f) / 2);
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{1, 10}, {1, 4, 9, 13}, {1, 3, 9}, {1, 3, 0, 9}})
    EXPECT_NE(user_message([&] {
                photo_to_array(p, {"x", DType::f32, shape}, PhotoScale::raw, {});
              }).find("takes no photograph"),
              std::string::npos);
}

TEST(Photo, CropKeepsTheCentreOfLongPictures) {
  for (const auto& [w, h] : {std::pair(4000, 3), std::pair(3, 4000), std::pair(300, 200), std::pair(1, 1)}) {
    Photo p{w, h, std::vector<uint8_t>(static_cast<size_t>(w) * static_cast<size_t>(h) * 3, 7)};
    const Photo q = resize_and_crop(p, 24, 16);
    EXPECT_EQ(q.width, 24);
    EXPECT_EQ(q.height, 16);
    EXPECT_EQ(q.rgb, std::vector<uint8_t>(24 * 16 * 3, 7));
  }
}

TEST(Photo, TheScaleIsGuessedFromTheQuantization) {
  const auto input = [](DType q, float scale, int zero) {
    return TensorInfo{"x", DType::f32, {1, 3, 8, 8}, q, scale, zero};
  };
  EXPECT_EQ(guess_photo_scale(input(DType::u8, 2.f / 255, 128)).scale, PhotoScale::minus_one_to_one);
  EXPECT_EQ(guess_photo_scale(input(DType::s8, 2.f / 255, 0)).scale, PhotoScale::minus_one_to_one);
  EXPECT_EQ(guess_photo_scale(input(DType::u8, 1.f / 255, 0)).scale, PhotoScale::zero_to_one);
  EXPECT_EQ(guess_photo_scale(input(DType::s8, 1.f / 255, -128)).scale, PhotoScale::zero_to_one);
  EXPECT_EQ(guess_photo_scale(input(DType::u8, 4.76f / 255, 113)).scale, PhotoScale::imagenet);
  EXPECT_EQ(guess_photo_scale(input(DType::u8, 1, 0)).scale, PhotoScale::raw);
  EXPECT_EQ(guess_photo_scale({"x", DType::u8, {1, 3, 8, 8}}).scale, PhotoScale::raw);
  EXPECT_NE(guess_photo_scale(input(DType::u8, 0, 0)).reason.find("not known"), std::string::npos);
  EXPECT_NE(guess_photo_scale(input(DType::u8, 10, 0)).reason.find("no scaling fits"), std::string::npos);
}

TEST(Photo, DamagedFilesAreUserErrors) {
  std::mt19937 random(3);
  for (const char* name : {"noise_13x9.bmp", "noise_13x9.png", "ramp_16x16.jpg"}) {
    const std::vector<uint8_t> good = read_file(data(name));
    const auto attempt = [&](const std::vector<uint8_t>& bytes) {
      try {
        const Photo p = decode_photo(bytes, "x");
        EXPECT_EQ(p.rgb.size(), static_cast<size_t>(p.width) * static_cast<size_t>(p.height) * 3);
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::user) << e.what();
      }
    };
    for (size_t n = 0; n < good.size(); ++n) attempt({good.begin(), good.begin() + static_cast<long>(n)});
    for (int i = 0; i < 2000; ++i) {
      std::vector<uint8_t> bad = good;
      bad[random() % bad.size()] = static_cast<uint8_t>(random());
      attempt(bad);
    }
    EXPECT_NE(user_message([&] { decode_photo(Bytes(good).first(20), "x"); }).find("cannot decode"), std::string::npos);
  }
  EXPECT_NE(user_message([&] { decode_photo({}, "x"); }).find("cannot decode"), std::string::npos);
}

// stb_image 2.27 writes behind its tables here.
TEST(Photo, AHuffmanTableOfTooManyCodesIsRefused) {
  std::vector<uint8_t> bad = read_file(data("ramp_16x16.jpg"));
  for (size_t i = 0; i + 20 < bad.size(); ++i)
    if (bad[i] == 0xff && bad[i + 1] == 0xc4) {
      bad[i + 5] = bad[i + 6] = 255;
      break;
    }
  EXPECT_NE(user_message([&] { decode_photo(bad, "x"); }).find("corrupt Huffman table"), std::string::npos);
}

}  // namespace
}  // namespace octet
