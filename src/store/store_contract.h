// store/store_contract.h - What every store promises, as checks that a broken one fails.
//
// Each check works on a fresh, empty store and answers what it found wrong; none: the promise
// holds. A store's test instantiates the suite below; store_contract_test.cpp shows that six broken
// doubles are caught.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace lifeboat::store {

using Violations = std::vector<std::string>;

struct StoreCheck {
  std::string name;  // a sentence, as a test name
  std::function<Violations(Store&)> run;
};
const std::vector<StoreCheck>& store_checks();

// A store under test, and what must go when it does.
struct StoreWorld {
  std::shared_ptr<void> owner;
  std::unique_ptr<Store> store;
};
struct StoreMaker {
  std::string name;
  std::function<StoreWorld()> make;
};

class StoreContract : public testing::TestWithParam<std::tuple<StoreMaker, StoreCheck>> {};

inline std::string store_case_name(const testing::TestParamInfo<StoreContract::ParamType>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

}  // namespace lifeboat::store

// One line in a store's test file.
#define INSTANTIATE_STORE_CONTRACT(name, make_world)                                         \
  TEST_P(StoreContract, Holds) {                                                             \
    const auto& [maker, check] = GetParam();                                                 \
    StoreWorld world = maker.make();                                                         \
    ASSERT_NE(world.store, nullptr);                                                         \
    for (const std::string& violation : check.run(*world.store)) ADD_FAILURE() << violation; \
  }                                                                                          \
  INSTANTIATE_TEST_SUITE_P(                                                                  \
      name, StoreContract,                                                                   \
      testing::Combine(testing::ValuesIn(make_world), testing::ValuesIn(store_checks())),    \
      store_case_name)
