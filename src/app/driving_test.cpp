#include "app/driving.h"

#include <gtest/gtest.h>

namespace lifeboat::app {
namespace {

TEST(ResumeCommand, GoesOnWithAllThatTheRunWasGiven) {
  Program program;
  program.options.config = "my file.yaml";
  program.options.repository = "/mnt/rescue";
  program.options.identity_file = "key.txt";
  program.options.operator_key_file = "alice.pem";
  EXPECT_EQ(resume_command(program, "run-7"),
            "lifeboat recover --resume run-7 --config 'my file.yaml' --repository /mnt/rescue "
            "--identity key.txt --operator-key alice.pem");
  EXPECT_EQ(resume_command(Program(), "run-7"), "lifeboat recover --resume run-7");
}

}  // namespace
}  // namespace lifeboat::app
