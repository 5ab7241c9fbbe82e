// app/application.h - The command line, as one call.
#pragma once

namespace lifeboat::app {

// Runs the program; answers its exit status (docs/exit-codes.md).
int main(int argc, char** argv);

}  // namespace lifeboat::app
