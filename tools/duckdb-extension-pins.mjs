// Which files DuckDB's extensions are, by digest (SHA-256): those of PyPI's wheels, whose
// signatures DuckDB checks once more when it loads them. They go with one version of DuckDB and no
// other; a test holds it to the version of @duckdb/node-api. linux_amd64 is what was loaded and
// tested; of linux_arm64, osx_arm64 and osx_amd64 only the digests were taken and the files'
// footers read.

export const duckdbVersion = "1.5.5";

/** By DuckDB's names of platforms; `tag` is Python's. */
export const extensionPins = Object.freeze({
  linux_amd64: {
    tag: "manylinux2014_x86_64",
    files: {
      ducklake: {
        wheel: "b631ae4dd4bd649b3db35a789dbcc859476fe231ef449b3f03f4fe4e2ef4a946",
        file: "e51bf9e8d933d0e83780ae096455501b542cf962569a2ce5613532d702c08302",
        bytes: 36_436_086,
      },
      postgres_scanner: {
        wheel: "fea9413d1b5bded7ead650aff91b3d7578c5149d832f666100b362f64404bf18",
        file: "b1ced4cfc6311313e117c2afb3eac76508718778dde0716421503c7dbfb5605c",
        bytes: 41_696_558,
      },
      httpfs: {
        wheel: "84913dbe172ccb54368de2c4a020c38ca8b0e76f99df548f7fac37934cc7826f",
        file: "887c392b1e49128d11667c81e3698d8b00dfdeb456771acf66d05a0f74f7b7d8",
        bytes: 21_570_542,
      },
    },
  },
  linux_arm64: {
    tag: "manylinux2014_aarch64",
    files: {
      ducklake: {
        wheel: "cd8280d3a20c744f7e113137a17a053f751b9cc469a9b694c43e1b8539fd30af",
        file: "d0b57c8e261b89a1ae367c7224f0857cfde72ab6cf2609f188e0de9b897b1088",
        bytes: 32_143_862,
      },
      postgres_scanner: {
        wheel: "5b50d53ecb192fca381c79ebd70da43b98fefe28a5781162081777f65efc8268",
        file: "e2469cce1e855e8c842a1487dd8168cf27904c03baaf1f2c227529403315d819",
        bytes: 37_305_766,
      },
      httpfs: {
        wheel: "567d17e398fc29f7ea4bc42ea277ea19643bd1ad1815f676cb6dd994b50399bb",
        file: "eba6e263e395a83966090f1f11ade63630b1b21422f0f2813858d179d42ea1e9",
        bytes: 19_861_758,
      },
    },
  },
  osx_arm64: {
    tag: "macosx_11_0_arm64",
    files: {
      ducklake: {
        wheel: "d6a65e39a38bd03270ed54715f5c16f6695954742b74c0c77ed1cfc0eda33f67",
        file: "1b72fc42164dbf21948e5a912cefc383b24071852f9e70209874ebd0a73b7caa",
        bytes: 27_580_398,
      },
      postgres_scanner: {
        wheel: "053b9ee8abf30f1880a244c9396323273ec99cf4d72a658e702cf536848b7e5c",
        file: "f39dd59bf57679d0242e19e180d90b4222e5cdb691ab67c7506658f3548c0e05",
        bytes: 30_945_398,
      },
      httpfs: {
        wheel: "a6d9b245ac83834543354e826020b35b8dba16291bb876b2b00bd49f2c6aeb9d",
        file: "10514b4ef19f80bf4ec4bf90c124f5d34625f2606263b40ae8ec7979905bb779",
        bytes: 16_010_974,
      },
    },
  },
  osx_amd64: {
    tag: "macosx_11_0_x86_64",
    files: {
      ducklake: {
        wheel: "48b089cccf3d609a51e2372dabf85de9dad96ce09f478b0647a2ffd316f495ef",
        file: "c7baf45b87f19cb3191c228b820857d573761d344c7855570dcc7eb3b8f1ff9e",
        bytes: 30_396_022,
      },
      postgres_scanner: {
        wheel: "797acdb64f10280303b66fb56c3537d3a7c82eab7cf6dfb4c71307c81c3e7b0d",
        file: "0df780444ce04a75c5a4e7b89896eab5cebe1ca21163fc6c267f3365ffe4a3c1",
        bytes: 34_052_022,
      },
      httpfs: {
        wheel: "5dc6e48e7a6d4c775d88fcd9b6529b385559600c0cd17a2600addfdd34ae3060",
        file: "a2f48ae06834c165ae73db71f2320360a4b30e7acf4c87187b2241caa48a990d",
        bytes: 17_543_806,
      },
    },
  },
});
