# lifeboat_module(name USES modules... LIBS libraries...): one module = one folder of src/.
# Sources and tests are found, never listed: a new file or adapter needs no edit here.
#   src/NAME/**/*.cpp        -> static library NAME
#   src/NAME/**/*_test.cpp   -> test program NAME_test (unit tests: no real system needed)
#   src/NAME/**/*_e2e.cpp    -> test program NAME_e2e (against a real system; tests/run starts it)
# All test programs share one precompiled header: half of their compile time otherwise.
function(lifeboat_module name)
  cmake_parse_arguments(ARG "" "" "USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  set(tests ${sources})
  set(e2e ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|e2e)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER e2e INCLUDE REGEX "_e2e\\.cpp$")
  set(scope INTERFACE)
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} ${scope} ${ARG_USES} ${ARG_LIBS})
  if(LIFEBOAT_FUZZ)
    return()  # the other presets build and run these
  endif()
  if(tests)
    lifeboat_test(${name}_test ${name} ${tests})
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}: "
                         PROPERTIES TIMEOUT 300)
  endif()
  if(e2e)
    lifeboat_test(${name}_e2e ${name} ${e2e})
  endif()
endfunction()

# The places that tests need are in a header of their own, not in a definition: so that what does not
# ask for them is compiled the same in every checkout, and comes out of ccache.
function(lifeboat_test_places)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/test_places.h.in
                 ${CMAKE_BINARY_DIR}/generated/test_places.h)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/test_headers.cpp CONTENT "")
  add_library(test_headers OBJECT ${CMAKE_BINARY_DIR}/generated/test_headers.cpp)
  target_link_libraries(test_headers GTest::gmock GTest::gtest)
  target_precompile_headers(test_headers PRIVATE <gtest/gtest.h> <gmock/gmock.h> <string> <vector>)
endfunction()

function(lifeboat_test target module)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} ${module} rapidcheck GTest::gmock GTest::gtest_main)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/generated)
  get_target_property(used ${module} INTERFACE_LINK_LIBRARIES)
  if("client" IN_LIST used OR module STREQUAL "client")
    add_dependencies(${target} lifeboat-supervise)
  endif()
  target_precompile_headers(${target} REUSE_FROM test_headers)
endfunction()
